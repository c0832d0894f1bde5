/** The dashboards are as their source says, and name what is there: metrics, labels, alerts, remedies. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"
import { boards, dashboardsPath, jsonOf, panelsOf, panelUrl } from "../../deploy/observe/source/Dashboards.ts"
import { runbookOf, runbookPath } from "../../deploy/observe/source/Render.ts"
import { root, rules } from "../../deploy/observe/source/Rules.ts"
import { read } from "../docs/documents.ts"
import { arithmeticOnly, firedInCheck, firedInTest } from "./AlertRuns.ts"
import { type PanelQuery, panelQueries } from "./PanelCheck.ts"

const sources = Fs.globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")

const metricNames = new Set(
  Array.from(sources.matchAll(/"((?:wallet|http|nodejs|process)_[a-z][a-z_]+)"/g), ([, name = ""]) => name)
)

const plainName = (name: string): string => {
  const plain = name.replace(/_(?:bucket|sum|count)$/, "")
  return metricNames.has(plain) ? plain : name
}

const metricsIn = (expr: string): ReadonlyArray<string> =>
  Array.from(expr.matchAll(/\b((?:wallet|http|nodejs|process)_[a-z_]+)\b/g), ([, name = ""]) => plainName(name))

/** Labels by metric, as docs/OPERATIONS.md has them. */
const documented = new Map(
  read("docs/OPERATIONS.md")
    .split("\n")
    .filter((line) => /^\| `(?:wallet|http|nodejs|process)_/.test(line))
    .flatMap((line) => {
      const [, names = "", labels = ""] = line.split("|")
      const words = (text: string) => Array.from(text.matchAll(/`(\w+)`/g), ([, word = ""]) => word)
      return words(names).map((name) => [name, words(labels)] as const)
    })
)

/** What every series has: from Prometheus, or as a bucket. */
const everywhere = new Set(["job", "instance", "le", "alertname", "alertstate"])

const labelsIn = ({ expr, legend }: PanelQuery): ReadonlyArray<string> => [
  ...Array.from(legend.matchAll(/\{\{(\w+)\}\}/g), ([, label = ""]) => label),
  ...Array.from(expr.matchAll(/[{,](\w+)(?:=|!=|=~|!~)"/g), ([, label = ""]) => label),
  ...Array.from(expr.matchAll(/by \(([^)]*)\)/g), ([, labels = ""]) => labels.split(/, ?/)).flat()
]

/** For who looks for one thing: no panel has them. */
const onNoPanel = new Set(["wallet_reconciler_position"])

describe("the dashboards", () => {
  it("are the JSON that their source makes (npm run dashboards)", () => {
    assert.sameMembers(
      Fs.readdirSync(Path.join(root, dashboardsPath)),
      boards.map(({ uid }) => `${uid}.json`)
    )
    for (const board of boards)
      assert.strictEqual(read(`${dashboardsPath}/${board.uid}.json`), jsonOf(board), board.uid)
  })

  it("have ids of their own, and panels that say what they are for", () => {
    assert.strictEqual(new Set(boards.map(({ uid }) => uid)).size, boards.length)
    for (const board of boards) {
      const panels = panelsOf(board)
      const ids = [...panels.map(({ id }) => id), ...(board.text === undefined ? [] : [board.text.id])]
      assert.strictEqual(new Set(ids).size, ids.length, board.uid)
      for (const { description, queries, title } of panels) {
        assert.isAbove(description.length, 9, title)
        assert.isNotEmpty(queries, title)
      }
    }
  })

  it("ask for metrics that the service has, by labels that are documented", () => {
    assert.isAbove(panelQueries.length, 90)
    for (const query of panelQueries) {
      const metrics = metricsIn(query.expr)
      const unknown = metrics.filter((name) => !metricNames.has(name))
      assert.deepStrictEqual(unknown, [], query.place)
      const known = new Set(metrics.flatMap((name) => documented.get(name) ?? []))
      const wrong = labelsIn(query).filter((label) => !known.has(label) && !everywhere.has(label))
      assert.deepStrictEqual(wrong, [], `${query.place}: ${query.expr}`)
    }
  })

  it("leave out no metric", () => {
    const shown = new Set(panelQueries.flatMap(({ expr }) => metricsIn(expr)))
    assert.deepStrictEqual(
      [...metricNames].filter((name) => documented.has(name) && !shown.has(name) && !onNoPanel.has(name)),
      []
    )
  })

  it("have a panel for every alert, and every alert leads to its panel", () => {
    const places = boards.flatMap((board) =>
      panelsOf(board).flatMap((panel) => (panel.alerts ?? []).map((alert) => [alert, panelUrl(board, panel)] as const))
    )
    assert.sameMembers(
      places.map(([alert]) => alert),
      rules.map(({ alert }) => alert)
    )
    const byAlert = new Map(places)
    for (const { alert, annotations } of rules) assert.strictEqual(annotations["dashboard"], byAlert.get(alert), alert)
  })
})

describe("the alerts", () => {
  it("each say what is wrong, how bad it is, what to do, and where there is more", () => {
    const headings = new Set(Array.from(read(runbookPath).matchAll(/^### (\w+)$/gm), ([, heading = ""]) => heading))
    for (const { alert, annotations, labels } of rules) {
      assert.include(["critical", "warning"], labels["severity"], alert)
      assert.sameMembers(Object.keys(annotations), ["summary", "description", "dashboard", "runbook"], alert)
      assert.isAbove((annotations["summary"] ?? "").length, 9, alert)
      assert.isAbove((annotations["description"] ?? "").length, 29, alert)
      assert.strictEqual(annotations["runbook"], runbookOf(alert))
      assert.isTrue(headings.has(alert), `${runbookPath} has no heading ${alert}`)
    }
    assert.deepStrictEqual(
      [...headings].filter((heading) => !rules.some(({ alert }) => alert === heading)),
      [],
      "headings of alerts that are no more"
    )
  })

  it("are each made to fire once: by a fault, or by numbers with a reason", () => {
    assert.sameMembers(
      [...firedInTest, ...firedInCheck, ...Object.keys(arithmeticOnly)],
      rules.map(({ alert }) => alert)
    )
  })

  it("are each seen quiet and firing by their arithmetic", () => {
    const cases = read("test/docs/alerts.test.yml")
    for (const { alert } of rules) {
      const fires = new RegExp(`alertname: ${alert}\\n\\s+exp_alerts:\\n|alertname="${alert}"[^}]*}', value: 1`)
      assert.match(cases, fires, alert)
    }
    // Of the rest: nothing at all fires before the trouble begins.
    assert.match(cases, /expr: "ALERTS", exp_samples: \[\]/)
  })
})
