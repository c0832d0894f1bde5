/** A load, or a comparison of loads, as one page of HTML that asks nobody for anything. All texts are escaped. */
import { type Comparison, comparisonTable } from "./CompareLoads.ts"
import type { Knee } from "./KneeSearch.ts"
import type { Latency, LoadReport, PointReport } from "./LoadReport.ts"
import { escaped, lineChart, type Series } from "./SvgChart.ts"
import type { ThresholdResult } from "./Thresholds.ts"

/** What `wallet load --json` prints: the report, and what it is a report of. */
export interface LoadDocument extends LoadReport {
  /** Names and values, as they are to be shown. */
  readonly environment: Readonly<Record<string, string>>
  readonly commandLine: string
  readonly startedAt: string
  readonly thresholds: ReadonlyArray<ThresholdResult>
  readonly knee?: Knee
}

const style = `
:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:860px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse;margin:.5em 0}
th,td{text-align:right;padding:.15em .8em .15em 0;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
th:first-child,td:first-child,.text td{text-align:left}
figure{margin:1.5em 0}figcaption{font-weight:600}figcaption small{font-weight:400;opacity:.7}
svg{width:100%;height:auto}svg text{font-size:11px;fill:currentColor}.grid{stroke:var(--line)}
.key{font-weight:400;font-size:.85em;margin-left:.6em}.key::before{content:"";display:inline-block;width:.8em;height:.25em;
margin-right:.3em;vertical-align:middle;background:var(--c)}
code{overflow-wrap:anywhere}.ok{color:#080}.bad{color:#c00;font-weight:600}
@media (prefers-color-scheme:dark){.ok{color:#6c6}.bad{color:#f77}}`

/** No request can leave the page, whatever is in it. */
const policy = "default-src 'none'; style-src 'unsafe-inline'"

const page = (title: string, body: string): string =>
  `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>` +
  `<meta http-equiv="Content-Security-Policy" content="${policy}">` +
  `<meta name="viewport" content="width=device-width,initial-scale=1"><style>${style}</style></head>` +
  `<body>${body}</body></html>\n`

type Cell = string | number | null

const cellText = (cell: Cell): string =>
  cell === null ? "–" : typeof cell === "number" ? cell.toLocaleString("en", { maximumFractionDigits: 2 }) : cell

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>, kind = ""): string => {
  const row = (cells: ReadonlyArray<Cell>, tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cellText(cell))}</${tag}>`).join("")}</tr>`
  const top = head.length === 0 ? "" : `<thead>${row(head, "th")}</thead>`
  return `<table class="${kind}">${top}<tbody>${rows.map((cells) => row(cells, "td")).join("")}</tbody></table>`
}

const section = (title: string, ...parts: ReadonlyArray<string>): string =>
  `<h2>${escaped(title)}</h2>${parts.join("")}`

const verdict = (ok: boolean, text: string): string => `<p class="${ok ? "ok" : "bad"}">${escaped(text)}</p>`

const latencyHead = ["", "count", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"]

const latencyRow = (name: string, { count, max, mean, p50, p90, p99, p999, p9999 }: Latency): ReadonlyArray<Cell> => [
  name,
  count,
  mean,
  p50,
  p90,
  p99,
  p999,
  p9999,
  max
]

const rowsOf = (latencies: Readonly<Record<string, Latency | undefined>>) =>
  Object.entries(latencies).flatMap(([name, one]) => (one === undefined ? [] : [latencyRow(name, one)]))

const countsTable = ({ codes, ...report }: LoadReport): string => {
  const byCode = Object.entries(codes).flatMap(([outcome, counts]) =>
    Object.entries(counts).map(([code, count]): ReadonlyArray<Cell> => [`${outcome}: ${code}`, count])
  )
  const { accepted, failed, goodput, late, missed, offered, refused, rejected, sent, unknown } = report
  const rows: ReadonlyArray<ReadonlyArray<Cell>> = [
    ...Object.entries({ offered, sent, late, missed, accepted, rejected, refused, failed, unknown }),
    ...byCode,
    ["goodput per second", goodput]
  ]
  return table([], rows)
}

const checkSection = ({ check }: LoadReport): string => {
  if (check.ok === null) return section("Check", "<p>It was not asked for.</p>")
  const { balances, commands, complete, findings, keys, money, unknown } = check
  const head = check.ok
    ? "ok: what was accepted is there once, and the money adds up"
    : complete
      ? "FAILED"
      : "NOT COMPLETE"
  const rows: ReadonlyArray<ReadonlyArray<Cell>> = [
    ...Object.entries(commands).map(([name, count]) => [`commands ${name}`, count]),
    ...Object.entries(unknown).map(([name, count]) => [`without a clear answer: ${name}`, count]),
    ...Object.entries(balances).map(([name, count]) => [`balances ${name}`, count]),
    ...Object.entries(keys).map(([name, count]) => [`keys ${name}`, count]),
    ...Object.entries(money).map(([name, sum]) => [`minor units: ${name}`, sum]),
    ["findings", check.findingCount],
    ["seconds", check.seconds]
  ]
  const list = findings.map((text) => `<li>${escaped(text)}</li>`).join("")
  return section("Check", verdict(check.ok, head), findings.length === 0 ? "" : `<ul>${list}</ul>`, table([], rows))
}

const evenly = (seconds: ReadonlyArray<number>) => {
  const last = seconds.at(-1) ?? 0
  return Array.from({ length: 6 }, (_, index) => {
    const at = (last * index) / 5
    return { at, label: `${Number(at.toPrecision(3))} s` }
  })
}

const timeCharts = ({ timeline }: LoadReport): string => {
  const { points, pointSeconds } = timeline
  const x = points.map(({ second }) => second)
  const ticks = evenly(x)
  const rate = (name: string, of: (point: PointReport) => number): Series => ({
    name,
    values: points.map((point) => of(point) / pointSeconds)
  })
  const value = (name: string, of: (point: PointReport) => number | null): Series => ({ name, values: points.map(of) })
  const chart = (title: string, unit: string, series: ReadonlyArray<Series>, logarithmic = false) =>
    lineChart({ title, unit, x, ticks, series, logarithmic })
  return [
    chart("Rate", "per second; offered by when it was due, accepted by when it was answered", [
      rate("offered", ({ offered }) => offered),
      rate("accepted", ({ accepted }) => accepted)
    ]),
    chart(
      "Latency",
      "ms, of what was due then",
      [value("p50", ({ p50 }) => p50), value("p99", ({ p99 }) => p99), value("max", ({ max }) => max)],
      true
    ),
    chart("Not accepted", "per second", [
      rate("rejected", ({ rejected }) => rejected),
      rate("refused", ({ refused }) => refused),
      rate("failed", ({ failed }) => failed),
      rate("unknown", ({ unknown }) => unknown)
    ]),
    chart("Processor", "cores", [
      value("this load", ({ clientCpu }) => clientCpu),
      { ...value("the service", ({ serviceCpu }) => serviceCpu), joined: true }
    ]),
    chart("Memory", "MB", [
      value("this load", ({ clientMegabytes }) => clientMegabytes),
      { ...value("the service", ({ serviceMegabytes }) => serviceMegabytes), joined: true }
    ])
  ].join("")
}

const nines = [
  [0, "0"],
  [50, "50 %"],
  [90, "90 %"],
  [99, "99 %"],
  [99.9, "99.9 %"],
  [99.99, "99.99 %"],
  [99.999, "99.999 %"]
] as const

/** By the part that is longer, in powers of ten: so the last ones have room. */
const percentileChart = ({ latency, percentiles }: LoadReport): string => {
  const place = (percentile: number) =>
    -Math.log10(1 - Math.min(percentile, 100 - 50 / Math.max(1, latency.all.count)) / 100)
  const x = percentiles.map(({ percentile }) => place(percentile))
  return lineChart({
    title: "Percentiles",
    unit: "ms",
    x,
    ticks: nines
      .map(([at, label]) => ({ at: -Math.log10(1 - at / 100), label }))
      .filter(({ at }) => at <= (x.at(-1) ?? 0)),
    series: [{ name: "all", values: percentiles.map(({ millis }) => millis) }],
    logarithmic: true
  })
}

const kneeSection = (knee: Knee | undefined): string => {
  if (knee === undefined) return ""
  const rows = knee.steps.map(({ goodput, ok, p99, rate, why }) => [rate, goodput, p99, ok ? "good" : why])
  const found = knee.lastGood === null ? "none was good" : `last good rate: ${knee.lastGood} per second`
  return section(
    "Knee",
    `<p>${escaped(found)}, p99 up to ${knee.slo} ms</p>`,
    table(["rate", "goodput", "p99 ms", ""], rows)
  )
}

const thresholdSection = (thresholds: ReadonlyArray<ThresholdResult>): string =>
  thresholds.length === 0
    ? ""
    : section(
        "Thresholds",
        table(
          ["", "measured", ""],
          thresholds.map(({ ok, threshold, value }) => [threshold, value, ok ? "kept" : "MISSED"])
        )
      )

/** One load. */
export const loadPage = (document: LoadDocument): string => {
  const { commandLine, environment, hottest, latency, latencyByDurability, latencyByOutcome, loop, phases } = document
  const { run, seconds, seed, sendDelay, serviceTime, startedAt } = document
  const about = {
    run,
    seed,
    begun: startedAt,
    measured: `${seconds} s`,
    loop:
      loop === "open"
        ? "open: latencies from the intended start"
        : "closed: who waits for an answer sends nothing meanwhile",
    ...environment
  }
  const { all, ...kinds } = latency
  const { check } = document
  const body =
    `<h1>Load ${escaped(run)}</h1><p><code>${escaped(commandLine)}</code></p>` +
    (check.ok === null ? "" : verdict(check.ok, check.ok ? "The check is ok." : "The check has FAILED.")) +
    table([], Object.entries(about), "text") +
    section("Operations", countsTable(document)) +
    thresholdSection(document.thresholds) +
    kneeSection(document.knee) +
    section(
      "Latencies, ms",
      table(latencyHead, [
        latencyRow("all", all),
        ...rowsOf(kinds),
        ...rowsOf(latencyByDurability),
        ...rowsOf(latencyByOutcome),
        latencyRow("from the real start", serviceTime),
        latencyRow("until the real start", sendDelay)
      ])
    ) +
    (phases.length < 2
      ? ""
      : section(
          "Phases",
          table(
            ["", "seconds", "offered", "goodput", "p50 ms", "p99 ms", "max ms"],
            phases.map((one) => [
              one.name,
              one.seconds,
              one.offered,
              one.goodput,
              one.latency.p50,
              one.latency.p99,
              one.latency.max
            ])
          )
        )) +
    section("Over time", timeCharts(document)) +
    section("Percentile curve", percentileChart(document)) +
    section(
      "The hottest wallets",
      table(
        ["", "accepted", "per second"],
        hottest.map(({ accepted, perSecond, wallet }) => [wallet, accepted, perSecond])
      )
    ) +
    checkSection(document)
  return page(`Load ${run}`, body)
}

/** Several loads side by side. */
export const comparisonPage = (comparison: Comparison): string => {
  const { head, rows } = comparisonTable(comparison)
  const failed = comparison.sides
    .filter(({ failedChecks }) => failedChecks > 0)
    .map(({ failedChecks, name }) => verdict(false, `${name}: the check has failed in ${failedChecks} of its runs`))
  const note =
    "Means of the runs of each side with a 95 % confidence interval (Student's t), and differences to the first side; " +
    "one that Welch's test does not tell from chance at 5 % is marked."
  return page("Loads compared", `<h1>Loads compared</h1>${failed.join("")}${table(head, rows)}<p>${escaped(note)}</p>`)
}
