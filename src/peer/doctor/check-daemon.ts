import type { Finding, Status } from '../../wire/local-api.ts';
import { failure, fine, warning } from './finding.ts';

const check = 'flashback';

/** What the asker found of the daemon. */
export type DaemonLook =
  | { readonly kind: 'running'; readonly status: Status }
  | { readonly kind: 'stopped' }
  /** It left word of itself and does not answer as it should. */
  | { readonly kind: 'silent'; readonly reason: string };

/** Pure. Not running is a state, not a fault: doctor is also asked before the first start. */
export function judgeDaemon(daemon: DaemonLook): Finding {
  switch (daemon.kind) {
    case 'running':
      return fine(check, `runs, version ${daemon.status.version}, process ${daemon.status.pid}`);
    case 'stopped':
      return warning(check, {
        code: 'daemon_not_running',
        message: 'Flashback is not running here: nobody can visit you, and you can visit nobody',
        advice: 'Start it and leave it running: flashback up',
      });
    default:
      return failure(check, {
        code: 'daemon_not_running',
        message: `Flashback was started here and does not answer: ${daemon.reason}`,
        advice: 'Stop it (Ctrl-C, or by its process id) and start it again: flashback up',
      });
  }
}
