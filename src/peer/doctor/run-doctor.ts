import type { Finding } from '../../wire/local-api.ts';
import type { LoadSettingsOptions } from '../settings/load-settings.ts';
import { judgeCertificate } from './check-certificate.ts';
import { type DaemonLook, judgeDaemon } from './check-daemon.ts';
import { checkFolder } from './check-folder.ts';
import { checkIdentity } from './check-identity.ts';
import { checkPortBlocked } from './check-port-blocked.ts';
import { checkPortInUse } from './check-port-in-use.ts';
import { checkRelay } from './check-relay.ts';
import { checkSettings } from './check-settings.ts';

export interface DoctorOptions extends LoadSettingsOptions {
  /** The asker talks to the daemon; what it said is handed in. */
  readonly daemon: DaemonLook;
  readonly signal: AbortSignal;
  readonly nowMs?: number;
}

/** Checks everything that can be checked from this machine, with or without a running daemon; findings come as they are found. */
export async function* runDoctor(options: DoctorOptions): AsyncGenerator<Finding> {
  const { daemon, signal, nowMs = Date.now() } = options;
  const { findings: ofSettings, loaded } = await checkSettings(options);
  yield* ofSettings;
  if (loaded === undefined) {
    yield judgeDaemon(daemon);
    return;
  }
  const { settings, identityFolder } = loaded;
  const { findings: ofIdentity, identity } = await checkIdentity(identityFolder, settings.email);
  yield* ofIdentity;
  if (identity !== undefined) {
    const certificate = judgeCertificate(identity.claims, nowMs);
    yield certificate;
    for (const finding of await checkRelay(settings.relayTrackerUrl, identity, signal)) {
      // A relay that refuses an expired certificate is no second problem.
      if (certificate.code !== 'certificate_expired' || finding.code !== 'relay_refuses') yield finding;
    }
  }
  const house = daemon.kind === 'running' ? daemon.status.house : undefined;
  // A running daemon may have been given another folder by flag.
  yield await checkFolder(house?.folder || settings.fileRootDirectory, house);
  yield await checkPortInUse(settings, house?.port);
  if (identity !== undefined && house !== undefined) {
    const reachable = await checkPortBlocked(house, identity, signal);
    if (reachable !== undefined) yield reachable;
  }
  yield judgeDaemon(daemon);
}
