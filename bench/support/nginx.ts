import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileServer, FileServerOptions } from './file-server.ts';
import { findProgram } from './find-program.ts';
import { findFreePort } from './free-port.ts';
import type { Bench } from './question.ts';
import { type ServerCertificateFiles, writeServerCertificate } from './server-certificate.ts';
import { ServerProcess } from './server-process.ts';

/** Starts nginx, the peer of the house, asking for a client certificate as it does. `undefined`, with a note, when it is not installed. */
export async function startNginx(
  bench: Bench,
  { root, fileName }: FileServerOptions,
): Promise<FileServer | undefined> {
  const command = findProgram('nginx');
  if (command === undefined) {
    bench.note('comparison with nginx skipped: nginx is not installed (apt install nginx)');
    return undefined;
  }
  const files = writeServerCertificate(bench.folder, 'nginx');
  const { folder } = files;
  const port = await findFreePort();
  writeFileSync(join(folder, 'nginx.conf'), configuration(files, root, port));
  const server = ServerProcess.spawn({
    name: 'nginx',
    command,
    args: ['-p', folder, '-c', 'nginx.conf', '-e', join(folder, 'error.log')],
    core: bench.cores?.server,
    signal: bench.signal,
  });
  await server.readyPort(port);
  return {
    name: server.name,
    process: server,
    fileUrl: `https://127.0.0.1:${port}/${fileName}`,
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

/**
 * What Debian's package sets (`sendfile`, `tcp_nopush`) with one worker for its one core; no access log, since the
 * house writes none, and nothing written outside `folder`.
 */
function configuration(
  { folder, certificatePath, keyPath }: ServerCertificateFiles,
  root: string,
  port: number,
): string {
  const isRoot = process.getuid?.() === 0;
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
${isRoot ? 'user root;' : ''}
events { worker_connections 64; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificatePath};
    ssl_certificate_key ${keyPath};
    ssl_protocols TLSv1.3;
    ssl_verify_client optional_no_ca;
    root ${root};
  }
}
`;
}
