import { errorCode } from '../../util/error-code.ts';
import { busyRefusal, notFound, type Refusal, refuse } from './refusal.ts';

/** What a visitor hears when the system refuses: never its own text, which holds absolute paths. Undefined when it is no expected refusal. */
export function refusalOfError(error: unknown): Refusal | undefined {
  return refusalOfErrno(errorCode(error));
}

export function refusalOfErrno(errno: string | undefined): Refusal | undefined {
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
    case 'ENXIO':
    case 'ENODEV':
    case 'EINVAL':
      return notFound('missing');
    case 'EACCES':
    case 'EPERM':
      return refuse(403, 'the house may not read this itself');
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
    case 'EBUSY':
    case 'EAGAIN':
      return busyRefusal;
    case 'EIO':
    case 'ESTALE':
    case 'ETIMEDOUT':
      return refuse(503, 'the disk of the house cannot be read now');
    default:
      return undefined;
  }
}
