import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Time for the client to take the answer, and for us to drop what it still sends: closing sooner resets the connection. */
const lingerMs = 1000;

/** Answers what Node's HTTP parser refuses like everything else: `{"error": "…"}`, then the connection ends. */
export function answerClientErrors(server: Server): void {
  const answered = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // More of the same request fails again.
    if (answered.has(socket)) return;
    answered.add(socket);
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [status, sentence] = statusOf(error.code);
    const body = JSON.stringify({ error: sentence });
    socket.end(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    );
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  });
}

function statusOf(code: string | undefined): readonly [string, string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'the path and the headers are too long together'];
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return ['413 Content Too Large', 'the chunk extensions are too long'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'the request took too long to arrive'];
    default:
      return ['400 Bad Request', 'the request is not HTTP that can be read'];
  }
}
