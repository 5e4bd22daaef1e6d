/** Why a connection did not come about, as a clause for a person: `refused: nothing listens there`. */
export function describeConnectionFailure(error: unknown): string {
  const code = failureCodeOf(error);
  const known = code === undefined ? undefined : clauseByCode[code];
  if (known !== undefined) return known;
  if (!(error instanceof Error)) return String(error);
  if (code !== undefined && code.startsWith('ERR_SSL_'))
    return 'what answers there speaks no TLS that we accept';
  return error.message;
}

/** The system's or Node's code, of the first cause when several addresses were tried. */
export function failureCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof AggregateError) return failureCodeOf(error.errors[0]);
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const clauseByCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused: nothing listens there',
  ECONNRESET: 'the connection was cut by the other side',
  EPIPE: 'the connection was cut by the other side',
  ETIMEDOUT: 'no answer',
  deadline: 'no answer in time',
  EHOSTUNREACH: 'the host cannot be reached from here',
  EHOSTDOWN: 'the host cannot be reached from here',
  ENETUNREACH: 'there is no way to that network from here',
  EADDRNOTAVAIL: 'there is no way to that address from here',
  EINVAL: 'there is no way to that address from here',
  EACCES: 'this machine forbids the connection (firewall)',
  EPERM: 'this machine forbids the connection (firewall)',
  ENOTFOUND: 'the name is unknown',
  EAI_AGAIN: 'names cannot be looked up now',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what answers there speaks no TLS',
  EPROTO: 'what answers there speaks no TLS that we accept',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is its own, nobody vouches for it',
  SELF_SIGNED_CERT_IN_CHAIN: 'this machine does not know the authority of its certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'this machine does not know the authority of its certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'this machine does not know the authority of its certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'this machine does not know the authority of its certificate',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: check the clock of this machine',
};
