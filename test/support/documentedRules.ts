/** The rules that docs/OPERATIONS.md shows, as SQL. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Fs from "node:fs"
import * as Path from "node:path"

const document = Fs.readFileSync(Path.resolve(import.meta.dirname, "../../docs/OPERATIONS.md"), "utf8")
const section = /^## Rules of your own\n(.*?)^## /ms.exec(document)?.[1] ?? ""

/** In their order: the schema, the rules, and last what removes them. */
export const documentedBlocks: ReadonlyArray<string> = Array.from(
  section.matchAll(/^```sql\n(.*?)^```$/gms),
  ([, sql = ""]) => sql
)

/** Several commands in one text, as `psql` would send them. */
export const runScript = Effect.fnUntraced(function* (script: string) {
  const sql = yield* SqlClient
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`select set_config('test.script', ${script}, true)`
      yield* sql`do $$ begin execute current_setting('test.script'); end $$`
    })
  )
})

export const installDocumentedRules = Effect.suspend(() => runScript(documentedBlocks.slice(0, -1).join("\n")))
export const removeDocumentedRules = Effect.suspend(() => runScript(documentedBlocks.at(-1) ?? ""))
