/** All dashboards, and the text of the JSON that Grafana is given of each. */
import type { Board, Panel } from "./Panel.ts"
import { actors } from "./boards/Actors.ts"
import { alerts } from "./boards/Alerts.ts"
import { cluster } from "./boards/Cluster.ts"
import { commands } from "./boards/Commands.ts"
import { overload } from "./boards/Overload.ts"
import { overview } from "./boards/Overview.ts"
import { processBoard } from "./boards/Process.ts"
import { search } from "./boards/Search.ts"
import { stores } from "./boards/Stores.ts"
import { webhooks } from "./boards/Webhooks.ts"
import { dashboardOf } from "./Render.ts"

export const boards: ReadonlyArray<Board> = [
  overview,
  alerts,
  commands,
  actors,
  stores,
  overload,
  search,
  webhooks,
  cluster,
  processBoard
]

/** From the root of the tree. */
export const dashboardsPath = "deploy/observe/grafana/dashboards"

export const panelsOf = (board: Board): ReadonlyArray<Panel> => board.rows.flatMap(({ panels }) => panels)

/** Where Grafana shows a panel, behind its own address. */
export const panelUrl = (board: Board, panel: Panel): string => `/d/${board.uid}?viewPanel=${panel.id}`

export const jsonOf = (board: Board): string => `${JSON.stringify(dashboardOf(board), null, 2)}\n`
