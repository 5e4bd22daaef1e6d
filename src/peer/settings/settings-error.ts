/** What a person wrote in a flag, the environment or the config file cannot be used. One problem a line. */
export class SettingsError extends Error {
  readonly code = 'invalid_settings';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}
