/** What does an announcement cost the relay, with its write to SQLite, beside a bare `Map.set` and beside discosrv? */
import { runQuestion } from './support/question.ts';
import { askTracker } from './support/tracker-question.ts';
import { announcedPort } from './support/tracker-server.ts';

await runQuestion('ready', async (bench) => {
  await askTracker(bench, {
    // The refresh that a client sends twice an hour: the same again.
    prepare: (server, people) => {
      const requests = people.map((person) => server.readyRequest(person));
      return { status: server.readyStatus, request: (connection) => requests[connection] as Buffer };
    },
    floorGoal: { kind: 'atMost', limit: 1.6 },
    peerGoal: { kind: 'atMost', limit: 1.05 },
    // A client that moves: nothing remembered of the last announcement helps.
    variant: {
      name: 'relay, announcing something else each time',
      prepare: (server, people) => {
        const ports = [announcedPort, announcedPort + 1];
        const requests = ports.map((port) => people.map((person) => server.readyRequest(person, port)));
        return {
          status: server.readyStatus,
          request: (connection, turn) => requests[turn % 2]?.[connection] as Buffer,
        };
      },
    },
  });
});
