/** Asked this often: each question may be a process of its own. */
const intervalMs = 250;

/**
 * Asks `question` again and again until it answers something, for what can only be found out by asking (another
 * process's state). Rejects after `timeoutMs`, naming what never came.
 */
export async function until<T>(
  what: string,
  question: () => Promise<T | undefined>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    if (performance.now() > deadlineMs) throw new Error(`It never happened within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
