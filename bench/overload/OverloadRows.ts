/** All rows of `npm run overload`, in the order in which they run. */
import type { OverloadRow } from "./OverloadRow.ts"
import { readers } from "./ReaderRows.ts"
import { saturation } from "./Saturation.ts"
import { searchers } from "./SearcherRows.ts"
import { stalls } from "./StallRows.ts"

export const overloadRows: ReadonlyArray<OverloadRow> = [saturation, readers, searchers, stalls]
