/** Where the app's wallets are: the one line that changes. */
import { WalletEngine } from "effect-wallet"

/** In a folder of this process's own. */
export const embedded = (dataDir: string) => WalletEngine.layerEmbedded({ dataDir })

/** In a service, which several apps share. */
export const remote = (url: string, apiKey: string) => WalletEngine.layerRemote({ url, apiKey })
