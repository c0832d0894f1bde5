/** A list of the API with its states: loading, empty, failed, and more as one scrolls. */
import { type UseInfiniteQueryResult, type InfiniteData } from "@tanstack/react-query"
import { type ReactNode, useCallback, useMemo } from "react"
import { Empty, Loading, Problem } from "./Basics.tsx"
import { type Column, VirtualTable } from "./VirtualTable.tsx"

interface Page<Row> {
  readonly data: ReadonlyArray<Row>
  readonly next: string | null
}

interface Props<Row> {
  readonly label: string
  readonly query: UseInfiniteQueryResult<InfiniteData<Page<Row>>>
  readonly columns: ReadonlyArray<Column<Row>>
  readonly rowKey: (row: Row, index: number) => string
  /** In place of no rows: what to do. */
  readonly empty: ReactNode
}

export const PagedTable = <Row,>({ columns, empty, label, query, rowKey }: Props<Row>) => {
  const { fetchNextPage } = query
  const rows = useMemo(
    () => query.data?.pages.flatMap(({ data }) => data).map((row, index) => ({ row, key: rowKey(row, index) })) ?? [],
    [query.data, rowKey]
  )
  const keyed = useMemo(
    () => columns.map(({ cell, ...column }) => ({ ...column, cell: (one: { row: Row }) => cell(one.row) })),
    [columns]
  )
  const onMore = useCallback(() => void fetchNextPage(), [fetchNextPage])
  return (
    <>
      {query.error !== null && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <Loading what={label.toLowerCase()} />}
      {query.data !== undefined && rows.length === 0 && <Empty>{empty}</Empty>}
      {rows.length > 0 && (
        <VirtualTable
          label={label}
          columns={keyed}
          rows={rows}
          rowKey={({ key }) => key}
          hasMore={query.hasNextPage}
          isLoading={query.isFetching}
          onMore={onMore}
        />
      )}
    </>
  )
}
