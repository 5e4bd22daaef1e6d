import { printable } from '../../util/printable.ts';
import type { Peer, Status } from '../../wire/local-api.ts';

export const landingStyle = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.lead { margin-top: 0; opacity: .7; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
td { padding: .3rem 1rem .3rem 0; border-top: 1px solid #8884; }
code { background: #8882; padding: .1rem .3rem; border-radius: .2rem; }
`;

/** What the daemon is doing, as a page without scripts: the link that `flashback up` prints leads here. */
export function landingPage(status: Status, friends: readonly Peer[]): string {
  const { house, relay } = status;
  const rows = [
    ['You are', status.email],
    ['Safety words', status.safetyWords.join(' ')],
    ['House', describeState(house.state, house.reason)],
    ['Folder', house.folder],
    ['Visitors let in', house.policy],
    ['Reachable at', house.addresses.map((address) => `${address} port ${house.port ?? '-'}`).join(', ')],
    ['Relay', `${relay.url}: ${describeState(relay.state, relay.reason)}`],
    ['Knocking', `${status.requestsWaiting} waiting`],
  ];
  const friendRows = friends.map(
    (friend) =>
      `<tr><td>${text(friend.email)}</td><td>${text(describeState(friend.status, friend.cause))}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Flashback: ${text(status.email)}</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css"></head>
<body><h1>Flashback</h1><p class="lead">runs on this machine; only you can see this page</p>
<dl>${rows.map(([term = '', meaning = '']) => `<dt>${text(term)}</dt><dd>${text(meaning)}</dd>`).join('\n')}</dl>
<h2>Friends</h2>
${friendRows.length === 0 ? '<p>None yet: <code>flashback friends add someone@example.com</code></p>' : `<table>${friendRows.join('\n')}</table>`}
<h2>What you can do</h2>
<p><code>flashback peers</code> shows who is there, <code>flashback ls someone@example.com:</code> visits a house,
<code>flashback get someone@example.com:/file</code> downloads.</p>
</body></html>
`;
}

function describeState(state: string, reason: string | undefined): string {
  return reason === undefined ? state : `${state} (${reason})`;
}

/** Escaped for HTML; names from other machines cannot turn the line around either. */
function text(value: string): string {
  return printable(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
