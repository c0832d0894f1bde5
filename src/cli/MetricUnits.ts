/**
 * Units of metrics over OTLP, by the UCUM and from their names, which say them by
 * Prometheus' conventions. Without one the exporter says `1`, a share, and a collector that
 * writes to Prometheus calls every gauge `..._ratio`: no alert would find it.
 */
import type { MetricsData } from "effect/observability/OtlpMetrics"

/** Of those whose names do not say what is counted. */
const counted: Readonly<Record<string, string>> = {
  wallet_clock_behind_total: "{batch}",
  wallet_cluster_resent_total: "{command}",
  wallet_clock_unsound_total: "{step}",
  wallet_reconciler_position: "{position}",
  wallet_sweep_deferred: "{item}"
}

const singular = (plural: string): string => (plural.endsWith("ies") ? `${plural.slice(0, -3)}y` : plural.slice(0, -1))

/** `s`, `By`, or in braces what is counted: an annotation, which no name gets a suffix from. */
export const unitOf = (name: string): string => {
  if (/_seconds(?:_total)?$/.test(name)) return "s"
  if (name.endsWith("_bytes")) return "By"
  const plural = name
    .split("_")
    .slice(1)
    .findLast((word) => word.length > 2 && word.endsWith("s"))
  return counted[name] ?? `{${plural === undefined ? "count" : singular(plural)}}`
}

export const withUnits = (data: MetricsData): MetricsData => ({
  resourceMetrics: data.resourceMetrics.map((resource) => ({
    ...resource,
    scopeMetrics: resource.scopeMetrics.map((scope) => ({
      ...scope,
      metrics: scope.metrics.map((metric) => ({ ...metric, unit: unitOf(metric.name) }))
    }))
  }))
})
