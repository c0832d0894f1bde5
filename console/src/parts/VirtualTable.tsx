/** A list of any length: only what is in sight is in the page, and the next rows are asked for when the last comes near. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { type CSSProperties, type ReactNode, useEffect, useRef } from "react"

export interface Column<Row> {
  readonly name: string
  readonly cell: (row: Row) => ReactNode
  /** Of the grid, like `1fr` or `12rem`. */
  readonly width: string
  readonly right?: boolean
  /** Left out where the page is narrow. */
  readonly wide?: boolean
}

interface Props<Row> {
  readonly label: string
  readonly columns: ReadonlyArray<Column<Row>>
  readonly rows: ReadonlyArray<Row>
  readonly rowKey: (row: Row) => string
  /** Of the list; `undefined`: not known before its end. */
  readonly total?: number
  readonly hasMore: boolean
  readonly isLoading: boolean
  readonly onMore: () => void
  readonly selected?: string
}

/** Pixels, as long as it is not measured: what is too long for a line takes two. */
const rowHeight = 36

/** Rows before the end at which the next are asked for. */
const ahead = 20

const columnsStyle = <Row,>(columns: ReadonlyArray<Column<Row>>): CSSProperties => {
  const wide = columns.map(({ width }) => width).join(" ")
  const narrow = columns
    .filter((column) => column.wide !== true)
    .map(({ width }) => width)
    .join(" ")
  return { "--columns": wide, "--columns-narrow": narrow } as CSSProperties
}

const classOf = <Row,>({ right, wide }: Column<Row>): string =>
  [right === true ? "right" : "", wide === true ? "wide-only" : ""].join(" ").trim()

interface RowProps<Row> {
  readonly row: Row
  readonly columns: ReadonlyArray<Column<Row>>
  readonly index: number
  /** Pixels from the first row. */
  readonly start: number
  readonly isSelected: boolean
  readonly measure: (element: HTMLElement | null) => void
}

const VirtualRow = <Row,>({ columns, index, isSelected, measure, row, start }: RowProps<Row>) => (
  <div
    role="row"
    ref={measure}
    data-index={index}
    aria-rowindex={index + 2}
    className={isSelected ? "row selected" : "row"}
    style={{ transform: `translateY(${start}px)` }}
  >
    {columns.map((column) => (
      <div role="cell" key={column.name} className={classOf(column)}>
        {column.cell(row)}
      </div>
    ))}
  </div>
)

const countOf = <Row,>({ hasMore, isLoading, rows, total }: Props<Row>): string => {
  const shown = rows.length.toLocaleString("en")
  const ofAll =
    total === undefined || total === rows.length ? `${shown} in all` : `${shown} of ${total.toLocaleString("en")}`
  return `${hasMore ? `${shown} so far` : ofAll}${isLoading ? ", loading more …" : ""}`
}

export const VirtualTable = <Row,>(props: Props<Row>) => {
  const { columns, hasMore, isLoading, label, onMore, rowKey, rows, selected, total } = props
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    getItemKey: (index) => {
      const row = rows[index]
      return row === undefined ? index : rowKey(row)
    }
  })
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (hasMore && !isLoading && last >= rows.length - ahead) onMore()
  }, [hasMore, isLoading, last, onMore, rows.length])
  const selectedIndex = selected === undefined ? -1 : rows.findIndex((row) => rowKey(row) === selected)
  useEffect(() => {
    if (selectedIndex >= 0) virtual.scrollToIndex(selectedIndex, { align: "auto" })
  }, [selectedIndex, virtual])
  return (
    <div className="table-place">
      <div className="table" role="table" aria-label={label} aria-rowcount={total ?? -1} style={columnsStyle(columns)}>
        <div role="rowgroup" className="head-place">
          <div role="row" className="row head" aria-rowindex={1}>
            {columns.map((column) => (
              <div role="columnheader" key={column.name} className={classOf(column)}>
                {column.name === "" ? <span className="hidden">More</span> : column.name}
              </div>
            ))}
          </div>
        </div>
        {/* It scrolls: whoever uses the keyboard has to reach it. */}
        <div className="scroller" ref={scroller} role="rowgroup" tabIndex={0} aria-label={label}>
          <div className="inner" role="presentation" style={{ height: virtual.getTotalSize() }}>
            {items.map(({ index, key, start }) => {
              const row = rows[index]
              const shared = {
                columns,
                index,
                start,
                isSelected: index === selectedIndex,
                measure: virtual.measureElement
              }
              return row === undefined ? null : <VirtualRow key={key} row={row} {...shared} />
            })}
          </div>
        </div>
      </div>
      <p className="table-foot quiet" role="status">
        {countOf(props)}
      </p>
    </div>
  )
}
