/**
 * The thread that owns the relay's database, so that no commit ever waits on the event loop that serves requests.
 * Started by sqlite-store.ts; the messages are those of sqlite-protocol.ts, answered in the order in which they came.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { copyDatabase } from './sqlite-copy.ts';
import { type OpenDatabase, openDatabase } from './sqlite-database.ts';
import { SqliteLoader } from './sqlite-loader.ts';
import type { FromWorker, Question, ToWorker, WorkerError, WorkerTask } from './sqlite-protocol.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import { StoreError } from './store-error.ts';

const task = workerData as WorkerTask;
if (task.kind === 'serve') serve(task.file);
else backUp(task.file, task.emptyFile);

function serve(file: string): void {
  let opened: OpenDatabase;
  try {
    opened = openDatabase(file);
  } catch (error) {
    return post({ refused: describe(error, `Cannot open the database ${file}`) });
  }
  const { database, schemaVersion } = opened;
  const writer = new SqliteWriter(database);
  const loader = new SqliteLoader(database);
  const probe = database.prepare('SELECT count(*) FROM schema_migrations');

  const answer = (question: Question): unknown => {
    if (question.kind === 'load') return loader.loadPage(question.afterKey, question.nowMs);
    return question.kind === 'probe' ? probe.get() : opened.close();
  };

  parentPort?.on('message', (message: ToWorker) => {
    if (Array.isArray(message)) return post(writer.applyBatch(message));
    try {
      post({ id: message.id, value: answer(message) });
    } catch (error) {
      post({ id: message.id, error: describe(error, `Cannot ${message.kind} the database`) });
    }
    if (message.kind === 'close') parentPort?.close();
  });
  post({ opened: { schemaVersion } });
}

function backUp(file: string, emptyFile: string): void {
  try {
    copyDatabase(file, emptyFile);
    post({ backedUp: true });
  } catch (error) {
    post({ refused: describe(error, `Cannot back up the database ${file}`) });
  }
}

function post(message: FromWorker): void {
  parentPort?.postMessage(message);
}

function describe(error: unknown, action: string): WorkerError {
  if (error instanceof StoreError) return { code: error.code, message: error.message };
  return {
    code: 'store_unavailable',
    message: `${action}: ${error instanceof Error ? error.message : String(error)}`,
  };
}
