/** Grafana's JSON of a dashboard, by Grafana's own types. */
import * as Common from "@grafana/grafana-foundation-sdk/common"
import type * as Cog from "@grafana/grafana-foundation-sdk/cog"
import * as Dashboard from "@grafana/grafana-foundation-sdk/dashboard"
import * as Prometheus from "@grafana/grafana-foundation-sdk/prometheus"
import * as Stat from "@grafana/grafana-foundation-sdk/stat"
import * as StateTimeline from "@grafana/grafana-foundation-sdk/statetimeline"
import * as Text from "@grafana/grafana-foundation-sdk/text"
import * as TimeSeries from "@grafana/grafana-foundation-sdk/timeseries"
import type { Board, Panel, Query } from "./Panel.ts"

/** Grafana's grid is 24 wide. */
const width = { stat: 4, lines: 8, stacked: 8, alerts: 24 } as const
const height = { stat: 4, lines: 8, stacked: 8, alerts: 10 } as const
const textHeight = 24

/** Ids of rows, above those of panels. */
const firstRow = 101

const datasource: Dashboard.DataSourceRef = { type: "prometheus", uid: "${datasource}" }

/** Where the remedies are, from the root of the tree. */
export const runbookPath = "docs/OBSERVABILITY.md"

export const runbookOf = (alert: string): string => `${runbookPath}#${alert.toLowerCase()}`

const refIds = "ABCDEFGH"

const targetOf = ({ expr, legend }: Query, index: number) =>
  new Prometheus.DataqueryBuilder()
    .datasource(datasource)
    .refId(refIds[index]!)
    .expr(expr)
    .legendFormat(legend)
    .editorMode(Prometheus.QueryEditorMode.Code)
    .range()

/** To the remedies: within Grafana, as its address is its own. */
const linksOf = (panel: Panel) =>
  (panel.alerts ?? []).map((alert) =>
    new Dashboard.DashboardLinkBuilder(`${alert}: what to do`)
      .type(Dashboard.DashboardLinkType.Link)
      .url("/d/wallet-alerts?viewPanel=2")
      .tooltip(runbookOf(alert))
  )

const describe = ({ alerts = [], description }: Panel): string =>
  [description, ...alerts.map((alert) => `Alert: ${alert}, ${runbookOf(alert)}.`)].join("\n\n")

/** The methods that panels of every kind share. */
interface AnyPanel extends Cog.Builder<Dashboard.Panel> {
  id(id: number): this
  title(title: string): this
  description(description: string): this
  datasource(datasource: Dashboard.DataSourceRef): this
  targets(targets: Array<Cog.Builder<Cog.Dataquery>>): this
  links(links: Array<Cog.Builder<Dashboard.DashboardLink>>): this
  span(width: number): this
  height(height: number): this
  unit(unit: string): this
}

const filled = <P extends AnyPanel>(builder: P, panel: Panel): P =>
  builder
    .id(panel.id)
    .title(panel.title)
    .description(describe(panel))
    .datasource(datasource)
    .targets(panel.queries.map(targetOf))
    .links(linksOf(panel))
    .span(width[panel.kind])
    .height(height[panel.kind])
    .unit(panel.unit)

const linesOf = (panel: Panel) => {
  const legend = new Common.VizLegendOptionsBuilder()
    .displayMode(Common.LegendDisplayMode.List)
    .placement(Common.LegendPlacement.Bottom)
    .showLegend(true)
  const tooltip = new Common.VizTooltipOptionsBuilder()
    .mode(Common.TooltipDisplayMode.Multi)
    .sort(Common.SortOrder.Descending)
  const lines = filled(new TimeSeries.PanelBuilder(), panel).legend(legend).tooltip(tooltip)
  if (panel.isSigned !== true) lines.min(0)
  if (panel.kind === "stacked")
    lines.stacking(new Common.StackingConfigBuilder().mode(Common.StackingMode.Normal)).fillOpacity(20)
  if (panel.limit !== undefined)
    lines
      .thresholds(
        new Dashboard.ThresholdsConfigBuilder().mode(Dashboard.ThresholdsMode.Absolute).steps([
          { value: null, color: "transparent" },
          { value: panel.limit, color: "red" }
        ])
      )
      .thresholdsStyle(new Common.GraphThresholdsStyleConfigBuilder().mode(Common.GraphThresholdsStyleMode.Dashed))
  return lines
}

const panelOf = (panel: Panel): Cog.Builder<Dashboard.Panel> => {
  switch (panel.kind) {
    case "lines":
    case "stacked":
      return linesOf(panel)
    case "stat":
      return filled(new Stat.PanelBuilder(), panel).reduceOptions(
        new Common.ReduceDataOptionsBuilder().calcs(["lastNotNull"])
      )
    case "alerts":
      return filled(new StateTimeline.PanelBuilder(), panel).noValue("nothing fires")
  }
}

const variables = () => [
  new Dashboard.DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"),
  new Dashboard.QueryVariableBuilder("job")
    .label("Job")
    .datasource(datasource)
    .query("label_values(up, job)")
    .current({ selected: true, text: "wallet", value: "wallet" })
    .refresh(Dashboard.VariableRefresh.OnDashboardLoad),
  new Dashboard.QueryVariableBuilder("instance")
    .label("Instance")
    .datasource(datasource)
    .query('label_values(up{job="$job"}, instance)')
    .current({ selected: true, text: "All", value: "$__all" })
    .refresh(Dashboard.VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
]

export const dashboardOf = (board: Board): Dashboard.Dashboard => {
  const builder = new Dashboard.DashboardBuilder(board.title)
    .uid(board.uid)
    .description(board.description)
    .tags(["wallet"])
    .timezone("utc")
    .refresh("10s")
    .time({ from: "now-1h", to: "now" })
    .tooltip(Dashboard.DashboardCursorSync.Crosshair)
    .variables(variables())
    .link(
      new Dashboard.DashboardLinkBuilder("Wallet")
        .type(Dashboard.DashboardLinkType.Dashboards)
        .tags(["wallet"])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true)
    )
  for (const [index, { panels, title }] of board.rows.entries()) {
    builder.withRow(new Dashboard.RowBuilder(title).id(firstRow + index))
    for (const panel of panels) builder.withPanel(panelOf(panel))
  }
  if (board.text !== undefined)
    builder.withPanel(
      new Text.PanelBuilder()
        .id(board.text.id)
        .title(board.text.title)
        .mode(Text.TextMode.Markdown)
        .content(board.text.markdown)
        .span(24)
        .height(textHeight)
    )
  const dashboard = builder.build()
  // The builder's default hides the way to the other dashboards in a menu.
  return { ...dashboard, links: (dashboard.links ?? []).map(({ placement: _, ...link }) => link) }
}
