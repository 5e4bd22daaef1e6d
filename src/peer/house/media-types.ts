/**
 * What a file may be shown as, by its name. Nothing looks at the bytes: with `nosniff` the browser believes this table or
 * shows nothing, so a wrong name is at worst a broken picture.
 */

/** Everything that is not on the list, and everything that is downloaded rather than shown. */
export const unknownMediaType = 'application/octet-stream';
/** All text is shown as this, HTML, SVG and scripts too: a browser renders none of it. */
const inertTextType = 'text/plain; charset=utf-8';

/** Shown inline as what they are. Raster images, sound and film: formats without scripts (hence no SVG, and no PDF). */
const inlineTypes: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
  apng: 'image/apng',
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  webm: 'video/webm',
  ogv: 'video/ogg',
  mov: 'video/quicktime',
  mkv: 'video/x-matroska',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  flac: 'audio/flac',
  wav: 'audio/wav',
  weba: 'audio/webm',
};

/** Shown inline as `inertTextType`; the value is what a listing calls them. */
const textTypes: Readonly<Record<string, string>> = {
  txt: 'text/plain',
  text: 'text/plain',
  log: 'text/plain',
  nfo: 'text/plain',
  srt: 'text/plain',
  diff: 'text/x-diff',
  patch: 'text/x-diff',
  md: 'text/markdown',
  markdown: 'text/markdown',
  rst: 'text/x-rst',
  tex: 'text/x-tex',
  bib: 'text/x-bibtex',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  vtt: 'text/vtt',
  ics: 'text/calendar',
  vcf: 'text/vcard',
  html: 'text/html',
  htm: 'text/html',
  xhtml: 'application/xhtml+xml',
  svg: 'image/svg+xml',
  xml: 'application/xml',
  xsl: 'application/xml',
  xslt: 'application/xml',
  rss: 'application/rss+xml',
  atom: 'application/atom+xml',
  gpx: 'application/gpx+xml',
  kml: 'application/vnd.google-earth.kml+xml',
  css: 'text/css',
  js: 'text/javascript',
  mjs: 'text/javascript',
  cjs: 'text/javascript',
  jsx: 'text/javascript',
  json: 'application/json',
  jsonl: 'application/jsonl',
  ndjson: 'application/jsonl',
  geojson: 'application/geo+json',
  map: 'application/json',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  toml: 'application/toml',
  sql: 'application/sql',
  sh: 'application/x-sh',
};

/** Source code and settings, by ending; a listing calls them all `text/plain`. */
const plainTextEndings = new Set(
  [
    'ts tsx mts cts py pyi rb php pl pm lua r jl go rs c h cc cpp cxx hh hpp hxx m mm swift kt kts java scala groovy',
    'clj cljs cs fs vue svelte dart zig nim hs elm ex exs erl ml mli lisp el scm asm s v sv vhd vhdl',
    'bash zsh fish awk sed ini cfg conf config properties env gradle cmake mk make dockerfile lock list',
    'graphql proto thrift tf hcl nix bazel bzl adoc asc org textile',
  ].flatMap((endings) => endings.split(' ')),
);

/** Text files that have no ending. */
const plainTextNames = new Set(
  'readme license licence copying authors changelog changes contributing notice todo news install makefile dockerfile'.split(
    ' ',
  ),
);

/** For listings only: types that are recognised by people and never shown inline. */
const otherTypes: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  epub: 'application/epub+zip',
  zip: 'application/zip',
  tar: 'application/x-tar',
  gz: 'application/gzip',
  tgz: 'application/gzip',
  bz2: 'application/x-bzip2',
  xz: 'application/x-xz',
  zst: 'application/zstd',
  '7z': 'application/x-7z-compressed',
  rar: 'application/vnd.rar',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  ppt: 'application/vnd.ms-powerpoint',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  odt: 'application/vnd.oasis.opendocument.text',
  ods: 'application/vnd.oasis.opendocument.spreadsheet',
  odp: 'application/vnd.oasis.opendocument.presentation',
  heic: 'image/heic',
  heif: 'image/heif',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  psd: 'image/vnd.adobe.photoshop',
  avi: 'video/x-msvideo',
  wmv: 'video/x-ms-wmv',
  mpg: 'video/mpeg',
  mpeg: 'video/mpeg',
  '3gp': 'video/3gpp',
  wma: 'audio/x-ms-wma',
  mid: 'audio/midi',
  ttf: 'font/ttf',
  otf: 'font/otf',
  woff: 'font/woff',
  woff2: 'font/woff2',
  iso: 'application/x-iso9660-image',
  torrent: 'application/x-bittorrent',
  wasm: 'application/wasm',
};

const endingsWithType = new Map<string, string>([
  ...Object.entries(otherTypes),
  ...Object.entries(textTypes),
  ...Object.entries(inlineTypes),
]);

/** The media type that a listing names, or undefined when the name says nothing. */
export function mediaTypeOf(name: string): string | undefined {
  const ending = endingOf(name);
  return endingsWithType.get(ending) ?? (isPlainText(name, ending) ? 'text/plain' : undefined);
}

/** The `Content-Type` under which a file of this name may be shown inline, or undefined when it may not. */
export function inlineTypeOf(name: string): string | undefined {
  const ending = endingOf(name);
  if (Object.hasOwn(inlineTypes, ending)) return inlineTypes[ending];
  return Object.hasOwn(textTypes, ending) || isPlainText(name, ending) ? inertTextType : undefined;
}

/** Whether the bytes are compressed already, so that an archive only stores them. */
export function isCompressed(name: string): boolean {
  const ending = endingOf(name);
  if (Object.hasOwn(inlineTypes, ending)) return !['bmp', 'wav', 'ico'].includes(ending);
  return Object.hasOwn(otherTypes, ending) && !uncompressedTypes.has(ending);
}

const uncompressedTypes = new Set([
  'tar',
  'doc',
  'xls',
  'ppt',
  'psd',
  'tif',
  'tiff',
  'mid',
  'ttf',
  'otf',
  'iso',
  'wasm',
]);

function isPlainText(name: string, ending: string): boolean {
  return plainTextEndings.has(ending) || plainTextNames.has(name.toLowerCase());
}

function endingOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot === -1 ? '' : name.slice(dot + 1).toLowerCase();
}
