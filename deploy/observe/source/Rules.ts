/** The alerts, as `docs/prometheus/alerts.yml` has them. */
import { parse } from "effect/encoding/Yaml"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"

const Rule = Schema.Struct({
  alert: Schema.String,
  expr: Schema.String,
  for: Schema.optional(Schema.String),
  labels: Schema.Record(Schema.String, Schema.String),
  annotations: Schema.Record(Schema.String, Schema.String)
})

export type Rule = typeof Rule.Type

const RuleFile = Schema.Struct({
  groups: Schema.Array(Schema.Struct({ name: Schema.String, rules: Schema.Array(Rule) }))
})

/** From the root of the tree. */
export const rulesPath = "docs/prometheus/alerts.yml"

export const root = Path.resolve(import.meta.dirname, "../../..")

export const ruleFile: typeof RuleFile.Type = Schema.decodeUnknownSync(RuleFile)(
  parse(Fs.readFileSync(Path.join(root, rulesPath), "utf8"))
)

export const rules: ReadonlyArray<Rule> = ruleFile.groups.flatMap((group) => group.rules)
