/** What the documents for operators name is what the sources have. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"

const root = Path.resolve(import.meta.dirname, "../..")
const read = (path: string): string => Fs.readFileSync(Path.join(root, path), "utf8")

const sources = Fs.globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")

const metricNames = new Set(
  Array.from(sources.matchAll(/"((?:wallet|http|nodejs|process)_[a-z][a-z_]+)"/g), ([, name]) => name)
)

/** SQL has names of its own. */
const unknownMetrics = (text: string): ReadonlyArray<string> => {
  const named = text.replaceAll(/```sql\n.*?```/gs, "").match(/\b(?:wallet|http|nodejs|process)_[a-z_]+\b/g) ?? []
  return named.filter((name) => !metricNames.has(name) && !metricNames.has(name.replace(/_(?:bucket|sum|count)$/, "")))
}

describe("the documents for operators", () => {
  it("know the metrics of the sources", () => {
    assert.isAbove(metricNames.size, 40)
    assert.deepStrictEqual(unknownMetrics("wallet_nothing_total wallet_command_duration_seconds_bucket"), [
      "wallet_nothing_total"
    ])
  })

  for (const path of ["docs/prometheus/alerts.yml", "docs/OPERATIONS.md", "docs/CLUSTER.md"]) {
    it(`name no metric in ${path} that is not there`, () => {
      assert.isNotEmpty(read(path).match(/\bwallet_[a-z_]+_/g))
      assert.deepStrictEqual(unknownMetrics(read(path)), [])
    })
  }

  it("have the words of a wallet that a rule has stopped", () => {
    const words = "which may have been persisted before and is never reversed; let the rule pass it"
    assert.include(sources, words)
    assert.include(read("docs/OPERATIONS.md"), `| … \`${words}\` |`)
  })

  it("name every alert in docs/OPERATIONS.md", () => {
    const alerts = Array.from(read("docs/prometheus/alerts.yml").matchAll(/- alert: (\w+)/g), ([, name = ""]) => name)
    const document = read("docs/OPERATIONS.md")
    assert.isNotEmpty(alerts)
    assert.deepStrictEqual(
      alerts.filter((name) => !document.includes(`\`${name}\``)),
      []
    )
  })
})
