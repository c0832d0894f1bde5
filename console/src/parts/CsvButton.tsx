/** A list as a file, page after page to its end. */
import { useEffect, useRef, useState } from "react"
import { type CsvColumn, csvOf } from "../format/Csv.ts"

interface Page<Row> {
  readonly data: ReadonlyArray<Row>
  readonly next: string | null
}

interface Props<Row> {
  /** Of the file. */
  readonly name: string
  readonly columns: ReadonlyArray<CsvColumn<Row>>
  readonly page: (cursor: string | null) => Promise<Page<Row>>
}

/** Rows of a file: what a browser keeps in memory and a spreadsheet opens. */
const maxRows = 50_000

/** A mark before the text, by which spreadsheets know that it is UTF-8. */
const byteOrderMark = "\uFEFF"

const save = (name: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([byteOrderMark, text], { type: "text/csv;charset=utf-8" }))
  const link = document.createElement("a")
  link.href = url
  link.download = `${name.replace(/[^\w-]+/g, "_").slice(0, 80)}.csv`
  link.click()
  URL.revokeObjectURL(url)
}

export const CsvButton = <Row,>({ columns, name, page }: Props<Row>) => {
  const [said, setSaid] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const stopped = useRef(false)
  useEffect(() => {
    stopped.current = false
    return () => void (stopped.current = true)
  }, [])
  const onClick = async () => {
    setBusy(true)
    try {
      const rows: Array<Row> = []
      let cursor: string | null = null
      do {
        const { data, next }: Page<Row> = await page(cursor)
        rows.push(...data)
        cursor = next
        setSaid(`${rows.length.toLocaleString("en")} rows …`)
      } while (cursor !== null && rows.length < maxRows && !stopped.current)
      if (stopped.current) return
      save(name, csvOf(columns, rows))
      const rest = cursor === null ? "" : ": the newest; narrow the list for the others"
      setSaid(`${rows.length.toLocaleString("en")} rows${rest}`)
    } catch (error) {
      setSaid(`no file: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      setBusy(false)
    }
  }
  return (
    <span className="csv">
      <span className="hint" role="status">
        {said}
      </span>{" "}
      <button type="button" className="small" disabled={isBusy} onClick={() => void onClick()}>
        CSV
      </button>
    </span>
  )
}
