import { houseRoutes } from '../../wire/house-http.ts';
import { housePathBytesMax, pathRefusal } from '../../wire/house-path.ts';
import { type Refusal, refuse } from './refusal.ts';

export type HouseRoute = keyof typeof houseRoutes;

export interface RequestTarget {
  readonly route: HouseRoute;
  /** Decoded, every segment checked; empty for the house itself. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Every byte of the longest path percent-encoded, and room for route and query. */
const targetCharactersMax = 3 * housePathBytesMax + 2048;

/**
 * Reads a request target as it stood on the wire (`request.url`). The path is decoded exactly once, strictly (overlong or broken
 * UTF-8 and stray `%` are refused), then split on `/`: an encoded slash is a slash, and `%252e` is a name.
 */
export function parseRequestTarget(raw: string): RequestTarget | Refusal {
  if (raw.length > targetCharactersMax) return refuse(414, 'the request target is too long');
  // RFC 9112 §3.2.2: a server takes the absolute form too.
  const origin = /^https?:\/\/[^/?#]*/i.exec(raw);
  const target = origin === null ? raw : raw.slice(origin[0].length);
  if (!/^\/[\u0021-\u007e]*$/.test(target) || target.includes('#')) {
    return refuse(400, 'the request target is malformed');
  }
  const mark = target.indexOf('?');
  const encodedPath = mark === -1 ? target : target.slice(0, mark);
  const route = routeOf(encodedPath);
  if (route === undefined) return refuse(404, 'no such route');
  const path = decodePath(encodedPath.slice(houseRoutes[route].length + 1));
  if (path === undefined) return refuse(400, 'the path is not valid percent-encoded UTF-8');
  const refusal = pathRefusal(path);
  if (refusal !== undefined) return refuse(400, `the path is refused: it holds ${refusal}`);
  if (route === 'health' && path !== '') return refuse(404, 'no such route');
  return { route, path, query: new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)) };
}

const routes = Object.keys(houseRoutes) as HouseRoute[];

function routeOf(encodedPath: string): HouseRoute | undefined {
  return routes.find((name) => {
    const prefix = houseRoutes[name];
    return encodedPath === prefix || encodedPath.startsWith(`${prefix}/`);
  });
}

function decodePath(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
