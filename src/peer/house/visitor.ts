/** Who asks: already authenticated and admitted by the house's policy when the house sees them. */
export interface HouseVisitor {
  readonly email: string;
  /** SHA-256 of the certificate they showed, hex. Limits per visitor count by it. */
  readonly fingerprint: string;
}
