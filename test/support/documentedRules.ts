/** What docs/OPERATIONS.md shows as SQL: the rules, and what is about PostgreSQL. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Fs from "node:fs"
import * as Path from "node:path"

const document = Fs.readFileSync(Path.resolve(import.meta.dirname, "../../docs/OPERATIONS.md"), "utf8")
const blocksOf = (section: string): ReadonlyArray<string> =>
  Array.from(section.matchAll(/^```sql\n(.*?)^```$/gms), ([, sql = ""]) => sql)

/** In their order: the schema, the rules, and last what removes them. */
export const documentedBlocks = blocksOf(/^## Rules of your own\n(.*?)^## /ms.exec(document)?.[1] ?? "")

/** What lets the event that is named pass a rule. */
export const documentedException = (): string => {
  const [, section = ""] = document.split("\n## A rule that refuses history\n")
  const [, sql] = /^ *```sql\n(.*?)^ *```$/ms.exec(section) ?? []
  if (sql === undefined) throw new Error("docs/OPERATIONS.md does not say how a rule lets history pass")
  return sql
}

/** The one script of a part about PostgreSQL. */
export const documentedScript = (title: "Roles" | "A pooler in front" | "Another schema"): string => {
  const [, part = ""] = document.split(`\n### ${title}\n`)
  const [script] = blocksOf(part)
  if (script === undefined) throw new Error(`docs/OPERATIONS.md has no script under ${title}`)
  return script
}

/** Of the file of PgBouncer. */
export const documentedSetting = (name: string): string => {
  const value = new RegExp(`^${name} = (.*)$`, "m").exec(document)?.[1]
  if (value === undefined) throw new Error(`docs/OPERATIONS.md does not set ${name}`)
  return value
}

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
