/** What does a lookup cost the relay, beside a bare `node:https` that answers from a Map, and beside discosrv? */
import { runQuestion } from './support/question.ts';
import { askTracker } from './support/tracker-question.ts';

await runQuestion('lookup', async (bench) => {
  await askTracker(bench, {
    prepare: (server, people) => {
      const requests = people.map((person) => server.lookupRequest(person));
      return {
        status: 200,
        // Each client asks for another one at each turn.
        request: (connection, turn) => requests[(connection + turn) % requests.length] as Buffer,
      };
    },
    floorGoal: { kind: 'atMost', limit: 1.25 },
    peerGoal: { kind: 'below', limit: 1 },
  });
});
