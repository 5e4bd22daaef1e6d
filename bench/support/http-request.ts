/** The bytes of an HTTP/1.1 request, made once and sent many times. `body` is sent as JSON. */
export function encodeRequest(method: 'GET' | 'POST', path: string, body?: unknown): Buffer {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n`;
  if (body === undefined) return Buffer.from(`${head}\r\n`);
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text);
  return Buffer.from(`${head}Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${text}`);
}
