/** Where the app's wallets are: the one line that changes. `WALLET_URL` chooses here between the two, for a trial of both. */
import type { Layer } from "effect"
import { WalletEngine } from "effect-wallet"

const { WALLET_API_KEY: apiKey = "", WALLET_DATA_DIR: dataDir = ".wallets", WALLET_URL: url } = process.env

export const wallets: Layer.Layer<WalletEngine, Error> =
  url === undefined ? WalletEngine.layerEmbedded({ dataDir }) : WalletEngine.layerRemote({ url, apiKey })
