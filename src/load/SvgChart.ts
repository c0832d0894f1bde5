/** Line charts as inline SVG, made of numbers alone: no script, no request. Colours follow the page. */

/** For texts and attributes of HTML and SVG. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

export interface Series {
  readonly name: string
  /** As many as there are places on the x axis; `null`: nothing there. */
  readonly values: ReadonlyArray<number | null>
  /** `true`: the line goes over places where nothing is, as of what is read more rarely. */
  readonly joined?: boolean
}

export interface Chart {
  readonly title: string
  readonly unit: string
  readonly x: ReadonlyArray<number>
  /** What stands below the x axis at these places. */
  readonly ticks: ReadonlyArray<{ readonly at: number; readonly label: string }>
  readonly series: ReadonlyArray<Series>
  /** The y axis by powers of ten. */
  readonly logarithmic?: boolean
}

const [width, height] = [760, 240]
const frame = { left: 64, right: 12, top: 12, bottom: 28 }

/** Told apart also by who sees no red or no green (Okabe and Ito). */
export const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"]

/** 1, 2 or 5 times a power of ten, some four of them up to `most`. */
const stepOf = (most: number): number => {
  const power = 10 ** Math.floor(Math.log10(most / 4))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => most / step <= 5) ?? power
}

interface Axis {
  /** 0–1 of the height. */
  readonly place: (value: number) => number
  readonly marks: ReadonlyArray<number>
}

const linear = (most: number): Axis => {
  const step = stepOf(most)
  const top = Math.ceil(most / step) * step
  const marks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step)
  return { place: (value) => value / top, marks }
}

const logarithmic = (least: number, most: number): Axis => {
  const low = Math.floor(Math.log10(least))
  const high = Math.max(low + 1, Math.ceil(Math.log10(most)))
  const marks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
  return { place: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low), marks }
}

const short = (value: number): string => {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`
  return value >= 1e4 ? `${Number((value / 1e3).toPrecision(3))}k` : String(Number(value.toPrecision(3)))
}

const axisOf = ({ logarithmic: isLogarithmic, series }: Chart): Axis => {
  let [least, most] = [Infinity, 0]
  for (const { values } of series) {
    for (const value of values) {
      if (value === null) continue
      most = Math.max(most, value)
      if (value > 0) least = Math.min(least, value)
    }
  }
  if (most === 0) return linear(1)
  return isLogarithmic === true ? logarithmic(least, most) : linear(most)
}

/** Breaks where there is nothing, unless it is joined. */
const pathOf = ({ joined, values }: Series, at: (index: number, value: number) => string): string => {
  let path = ""
  let drawing = false
  values.forEach((value, index) => {
    if (value === null) {
      drawing &&= joined === true
      return
    }
    path += `${drawing ? "L" : "M"}${at(index, value)}`
    drawing = true
  })
  return path
}

export const lineChart = (chart: Chart): string => {
  const { series, ticks, title, unit, x } = chart
  const [first, last] = [x[0] ?? 0, x.at(-1) ?? 1]
  const axis = axisOf(chart)
  const [inner, tall] = [width - frame.left - frame.right, height - frame.top - frame.bottom]
  const across = (value: number) => frame.left + (inner * (value - first)) / Math.max(last - first, 1e-9)
  const up = (value: number) => frame.top + tall * (1 - axis.place(value))
  const lines = axis.marks.map((mark) => {
    const y = up(mark).toFixed(1)
    const label = `<text x="${frame.left - 6}" y="${y}" text-anchor="end" dy="0.35em">${short(mark)}</text>`
    return `<line class="grid" x1="${frame.left}" x2="${width - frame.right}" y1="${y}" y2="${y}"/>${label}`
  })
  const places = ticks.map(({ at, label }) => {
    const text = escaped(label)
    return `<text x="${across(at).toFixed(1)}" y="${height - 8}" text-anchor="middle">${text}</text>`
  })
  const paths = series.map((one, index) => {
    const path = pathOf(one, (place, value) => `${across(x[place] ?? 0).toFixed(1)} ${up(value).toFixed(1)}`)
    return `<path d="${path}" fill="none" stroke="${colours[index % colours.length]}" stroke-width="1.5"/>`
  })
  const legend = series.map(
    ({ name }, index) => `<span style="--c:${colours[index % colours.length]}" class="key">${escaped(name)}</span>`
  )
  return (
    `<figure><figcaption>${escaped(title)} <small>${escaped(unit)}</small> ${legend.join(" ")}</figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">` +
    `${lines.join("")}${places.join("")}${paths.join("")}</svg></figure>`
  )
}
