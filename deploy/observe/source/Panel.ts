/** What a dashboard is before Grafana's JSON is made of it: panels with their queries, and what each query needs to have data. */

/**
 * What has to be there for a query to have data; the tests run each of these on real servers, and hold what they
 * cannot run against the metrics of the sources.
 *
 * - `load`: any service that has commands to do;
 * - `outage`: one whose log was away under load;
 * - `webhooks`: one with a webhook;
 * - `cluster`: several nodes with their leases on Redis;
 * - `search`: search on Elasticsearch;
 * - `separateLog`: a log of its own, with PostgreSQL behind it.
 */
export type Needs = "load" | "outage" | "webhooks" | "cluster" | "search" | "separateLog"

export interface Query {
  /** PromQL, with Grafana's variables. */
  readonly expr: string
  /** Of each series; `{{label}}` is the label's value. */
  readonly legend: string
  readonly needs: Needs
}

export interface Panel {
  /** Within its dashboard, for ever: links lead to it. */
  readonly id: number
  readonly title: string
  /** The question that it answers, and what to look at next. */
  readonly description: string
  readonly kind: "lines" | "stacked" | "stat" | "alerts"
  /** Of Grafana's units. */
  readonly unit: string
  readonly queries: ReadonlyArray<Query>
  /** Whether it may be below zero. */
  readonly isSigned?: boolean | undefined
  /** In the unit: a line at which an alert fires. */
  readonly limit?: number | undefined
  /** Alerts that are about what it shows. */
  readonly alerts?: ReadonlyArray<string> | undefined
}

export interface Row {
  readonly title: string
  readonly panels: ReadonlyArray<Panel>
}

export interface Board {
  readonly uid: string
  readonly title: string
  /** The questions that it answers. */
  readonly description: string
  readonly rows: ReadonlyArray<Row>
  /** Markdown at its end. */
  readonly text?: { readonly id: number; readonly title: string; readonly markdown: string } | undefined
}

/** A panel of lines, from its queries. */
export const lines = (panel: Omit<Panel, "kind">): Panel => ({ ...panel, kind: "lines" })

/** The same, one above the other: what is shown is parts of a whole. */
export const stacked = (panel: Omit<Panel, "kind">): Panel => ({ ...panel, kind: "stacked" })

/** A panel of the latest number. */
export const stat = (panel: Omit<Panel, "kind">): Panel => ({ ...panel, kind: "stat" })

export const query = (legend: string, expr: string, needs: Needs = "load"): Query => ({ legend, expr, needs })

/** The series of the services that the dashboard is set to. */
export const of = (metric: string, ...matchers: ReadonlyArray<string>): string =>
  `${metric}{${['job="$job"', 'instance=~"$instance"', ...matchers].join(",")}}`

/** A second, over what Grafana takes for enough scrapes. */
export const rate = (metric: string, ...matchers: ReadonlyArray<string>): string =>
  `rate(${of(metric, ...matchers)}[$__rate_interval])`

export const sumBy = (labels: string, expr: string): string => `sum by (${labels}) (${expr})`

/** The time or size that this share of a histogram stays below. */
export const quantile = (
  share: number,
  histogram: string,
  labels: string,
  ...matchers: ReadonlyArray<string>
): string =>
  `histogram_quantile(${share}, ${sumBy(labels === "" ? "le" : `${labels}, le`, rate(`${histogram}_bucket`, ...matchers))})`

/** The mean of a histogram. */
export const mean = (histogram: string): string =>
  `${sumBy("instance", rate(`${histogram}_sum`))} / ${sumBy("instance", rate(`${histogram}_count`))}`

/** Three quantiles of a histogram, over all services. */
export const quantiles = (
  histogram: string,
  needs: Needs = "load",
  ...matchers: ReadonlyArray<string>
): ReadonlyArray<Query> =>
  [0.5, 0.95, 0.99].map((share) => query(`p${share * 100}`, quantile(share, histogram, "", ...matchers), needs))

/** Commands of clients: the steps of transfers and what expires are the engine's own. */
export const clientKinds =
  'kind!~"dry_run|expire_.*|reverse_operation|(send|receive|refuse|settle|reverse)_transfer|(begin|prepare|apply|refuse|release|settle)_legs"'
