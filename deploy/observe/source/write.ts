/** `npm run dashboards`: writes the JSON of all dashboards. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { boards, dashboardsPath, jsonOf } from "./Dashboards.ts"
import { root } from "./Rules.ts"

const folder = Path.join(root, dashboardsPath)
const wanted = new Set(boards.map(({ uid }) => `${uid}.json`))
for (const file of Fs.readdirSync(folder)) if (!wanted.has(file)) Fs.rmSync(Path.join(folder, file))
for (const board of boards) Fs.writeFileSync(Path.join(folder, `${board.uid}.json`), jsonOf(board))
