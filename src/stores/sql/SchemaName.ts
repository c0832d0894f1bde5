/** The PostgreSQL schema that holds all tables of an installation. */
import * as Schema from "effect/Schema"

/**
 * A lower-case identifier of at most 63 characters. `public` and PostgreSQL's own
 * schemas are refused: our tables have a schema of their own, so that a database
 * can be shared with anything else.
 */
export const SqlSchemaName = Schema.String.check(
  Schema.isPattern(/^(?!pg_|public$|information_schema$)[a-z_][a-z0-9_]{0,62}$/, {
    message: "a schema name is 1-63 of a-z, 0-9 and _, not beginning with a digit or pg_, and not public"
  })
)

/**
 * What unqualified names mean on our connections: our tables, and PostgreSQL's
 * own things. Nothing in `public` can stand in for a table of ours; where our
 * schema is missing or closed to us, that is an error and not another place. (A
 * trigger function of the user's that names its own tables without a schema needs
 * its own `SET search_path`.)
 */
export const searchPathOf = (schema: string): string => `"${schema.replaceAll('"', '""')}"`
