/**
 * One step of the schema, for both engines. A released migration is never edited: what has to change is a further
 * one. Each runs inside the transaction that also records its number.
 */
export interface Migration {
  /** 1, 2, 3, … without gaps; the schema version is the highest that has run. */
  readonly version: number;
  /** For people who look into `schema_migrations`. */
  readonly name: string;
  readonly sqlite: string;
  readonly postgres: string;
}
