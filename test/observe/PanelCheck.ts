/** What panels show, as Prometheus evaluates their queries. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { boards, dashboardsPath, panelsOf } from "../../deploy/observe/source/Dashboards.ts"
import type { Needs, Query } from "../../deploy/observe/source/Panel.ts"
import { root } from "../../deploy/observe/source/Rules.ts"
import type { Prometheus } from "../support/prometheus.ts"

/** As Grafana does, of a dashboard that is set to all services of the job. */
export const substituted = (expr: string): string =>
  expr.replaceAll("$__rate_interval", "30s").replaceAll("$job", "wallet").replaceAll("$instance", ".*")

export interface PanelQuery extends Query {
  /** For people. */
  readonly place: string
}

/** The queries of the JSON that Grafana is given, each with what it needs. */
export const panelQueries: ReadonlyArray<PanelQuery> = boards.flatMap((board) => {
  const json = JSON.parse(Fs.readFileSync(Path.join(root, dashboardsPath, `${board.uid}.json`), "utf8")) as {
    readonly panels: ReadonlyArray<{ readonly id: number; readonly targets?: ReadonlyArray<{ readonly expr: string }> }>
  }
  return panelsOf(board).flatMap((panel) => {
    const targets = json.panels.find(({ id }) => id === panel.id)?.targets ?? []
    return panel.queries.map((query, index) => ({
      ...query,
      expr: targets[index]?.expr ?? "absent from the JSON",
      place: `${board.title} / ${panel.title} / ${query.legend}`
    }))
  })
})

const labelsOf = (legend: string): ReadonlyArray<string> =>
  Array.from(legend.matchAll(/\{\{(\w+)\}\}/g), ([, name = ""]) => name)

/** One line for each query of these needs that shows nothing, or whose legend names a label that its series do not have. */
export const emptyPanels = Effect.fnUntraced(function* (prometheus: Prometheus, needs: ReadonlyArray<Needs>) {
  const problems: Array<string> = []
  for (const { expr, legend, needs: needed, place } of panelQueries) {
    if (!needs.includes(needed)) continue
    const samples = yield* prometheus.query(substituted(expr))
    if (!samples.some(({ value }) => Number.isFinite(value))) problems.push(`${place}: no data: ${expr}`)
    else
      for (const label of labelsOf(legend))
        if (!samples.some(({ labels }) => label in labels)) problems.push(`${place}: no label ${label}: ${expr}`)
  }
  return problems
})

/** More than a rate looks back, in seconds: what is shown at all is shown within it. */
const tries = 60

/** The same once there has been time to show something: what comes late on a slow machine is no problem. */
export const stillEmptyPanels = (prometheus: Prometheus, needs: ReadonlyArray<Needs>) =>
  Effect.flatMap(emptyPanels(prometheus, needs), (first) =>
    first.length === 0
      ? Effect.succeed(first)
      : Effect.repeat(Effect.delay(emptyPanels(prometheus, needs), "1 second"), {
          times: tries,
          until: (problems) => problems.length === 0
        })
  )

/** How many queries are of these needs: a check of none would always pass. */
export const panelsWith = (needs: ReadonlyArray<Needs>): number =>
  panelQueries.filter((query) => needs.includes(query.needs)).length
