/** What one address did, for `why` and `doctor`. */
export interface DialAttempt {
  /** As in a URL. */
  readonly address: string;
  readonly origin: 'cached' | 'announced' | 'observed';
  readonly outcome: 'won' | 'failed' | 'somebody_else' | 'identity_changed' | 'abandoned' | 'not_tried';
  /** In words for a person. */
  readonly detail: string;
  /** From its first packet to its end; absent when it was not tried. */
  readonly elapsedMs?: number;
  /** Fingerprint of a certificate that was not the one expected. */
  readonly presented?: string;
}
