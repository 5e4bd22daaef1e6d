import type { ServerProcess } from './server-process.ts';

/** A server that hands out files over HTTPS to visitors with a client certificate: the house, its floor, its peer. */
export interface FileServer extends AsyncDisposable {
  readonly name: string;
  readonly process: ServerProcess;
  /** Where the file is, such as `https://127.0.0.1:4711/download/big.bin`. */
  readonly fileUrl: string;
}

/** What a file server is started with. */
export interface FileServerOptions {
  /** The folder it shows. */
  readonly root: string;
  /** The file in it that is asked for. */
  readonly fileName: string;
}
