#!/usr/bin/env node
// Plain old JavaScript on purpose (bin/package.json makes it CommonJS, so that even Node 12 reads it):
// an old Node must get a sentence it can print, not a syntax error. The program itself is src/cli/main.ts.
'use strict';

var required = [24, 7];
var found = process.versions.node.split('.');

if (Number(found[0]) < required[0] || (Number(found[0]) === required[0] && Number(found[1]) < required[1])) {
  console.error(
    'flashback needs Node ' +
      required.join('.') +
      ' or newer, and this is Node ' +
      process.versions.node +
      '.\nIn a checkout, `npm ci` brings a newer Node: use `npx flashback` or `npm run flashback -- ...` there.\n' +
      'Elsewhere install one from https://nodejs.org or your package manager.',
  );
  process.exit(2);
} else {
  // The published package holds compiled files beside this one, a checkout holds the sources.
  var extension = __filename.slice(-3);
  import('../src/cli/main' + extension).then(function (cli) {
    return cli.main(process.argv.slice(2));
  });
}
