/**
 * A balance over versions or times, as steps. Positions on the screen are made from exact integers in the last moment, and
 * what is written beside them is the exact integer; a float is nowhere but in pixels.
 */
import { useEffect, useRef } from "react"
import uPlot from "uplot"
import "uplot/dist/uPlot.min.css"
import { formatAmount } from "../format/Money.ts"
import { scaleOf } from "../format/Scale.ts"

export interface Point {
  readonly version: number
  readonly time: number
  readonly balance: bigint
}

interface Props {
  readonly points: ReadonlyArray<Point>
  readonly currency: string
  readonly by: "time" | "version"
  readonly selected: number
  readonly onSelect: (version: number) => void
}

const height = 200

const widthOf = (element: Element): number => Math.max(240, element.clientWidth)

const colour = (element: Element, name: string): string => getComputedStyle(element).getPropertyValue(name).trim()

/** Of the point that is nearest to the pointer. */
const pickOf = (plot: uPlot, points: ReadonlyArray<Point>): number | undefined => {
  const index = plot.cursor.idx
  return index === null || index === undefined ? undefined : points[index]?.version
}

const axis = (element: Element): uPlot.Axis => ({
  stroke: colour(element, "--quiet"),
  grid: { stroke: colour(element, "--line"), width: 1 },
  ticks: { show: false },
  font: "12px system-ui, sans-serif"
})

const day = "\n{YYYY}-{MM}-{DD}"
const minute = `${day} {HH}:{mm}`

/** By the seconds between two of them: as it is, and with what begins there: a year, a day, a minute. */
const timeLabels: uPlot.Axis.Values = [
  [31_536_000, "{YYYY}", null, null, null, null, null, null, 1],
  [2_419_200, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [86_400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", day, null, day, null, null, null, 1],
  [1, ":{ss}", minute, null, minute, null, "\n{HH}:{mm}", null, 1],
  [0.001, ":{ss}.{fff}", minute, null, minute, null, "\n{HH}:{mm}", null, 1]
]

const optionsOf = (element: HTMLElement, { by, currency, points, selected }: Props): uPlot.Options => {
  const scale = scaleOf(points.map(({ balance }) => balance))
  const labels = new Map(scale.ticks.map((tick) => [scale.position(tick), formatAmount(tick, currency)]))
  const widest = Math.max(...Array.from(labels.values(), (label) => label.length))
  return {
    width: widthOf(element),
    height,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: { x: { time: by === "time" }, y: { range: [0, scale.top] } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "Etc/UTC"),
    series: [
      {},
      {
        stroke: colour(element, "--accent"),
        fill: colour(element, "--accent-soft"),
        width: 1.5,
        points: { show: points.length < 60, size: 4 },
        ...(uPlot.paths.stepped === undefined ? {} : { paths: uPlot.paths.stepped({ align: 1 }) })
      }
    ],
    axes: [
      by === "time" ? { ...axis(element), values: timeLabels } : axis(element),
      {
        ...axis(element),
        size: 16 + widest * 7,
        splits: () => [...labels.keys()],
        values: (_, splits) => splits.map((split) => labels.get(split) ?? "")
      }
    ],
    hooks: {
      draw: [
        (plot) => {
          const index = points.findIndex(({ version }) => version === selected)
          const at = plot.data[0][index]
          if (index < 0 || at === undefined) return
          const x = Math.round(plot.valToPos(at, "x", true))
          plot.ctx.save()
          plot.ctx.strokeStyle = colour(element, "--text")
          plot.ctx.lineWidth = 1
          plot.ctx.beginPath()
          plot.ctx.moveTo(x, plot.bbox.top)
          plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height)
          plot.ctx.stroke()
          plot.ctx.restore()
        }
      ]
    }
  }
}

const dataOf = ({ by, points }: Props): uPlot.AlignedData => {
  const scale = scaleOf(points.map(({ balance }) => balance))
  return [
    points.map(({ time, version }) => (by === "time" ? time / 1_000 : version)),
    points.map(({ balance }) => scale.position(balance))
  ]
}

export const BalanceChart = ({ by, currency, onSelect, points, selected }: Props) => {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current
    if (element === null || points.length === 0) return undefined
    const given = { by, currency, onSelect, points, selected }
    let plot: uPlot | undefined
    const draw = () => {
      plot?.destroy()
      const made = new uPlot(optionsOf(element, given), dataOf(given), element)
      made.over.addEventListener("click", () => {
        const version = pickOf(made, points)
        if (version !== undefined) onSelect(version)
      })
      plot = made
    }
    draw()
    // Its colours are those of the page when it was drawn.
    const dark = window.matchMedia("(prefers-color-scheme: dark)")
    dark.addEventListener("change", draw)
    const resized = new ResizeObserver(() => plot?.setSize({ width: widthOf(element), height }))
    resized.observe(element)
    return () => {
      dark.removeEventListener("change", draw)
      resized.disconnect()
      plot?.destroy()
    }
  }, [by, currency, onSelect, points, selected])
  const last = points.at(-1)
  const label =
    last === undefined
      ? "No balance yet"
      : `Balance of ${points.length} versions, in the end ${formatAmount(last.balance, currency)} ${currency}; all of it is in the list of events below`
  return <div className="chart" ref={place} role="img" aria-label={label} />
}
