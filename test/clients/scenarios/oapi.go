// What a shop does with a client made by oapi-codegen. WALLET_URL and WALLET_KEY say where.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"

	"local/wallet/wallet"
)

func key() string { return rand.Text() }

func check(holds bool, what any) {
	if !holds {
		panic(fmt.Sprintf("unexpected: %+v", what))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func of[T any](value T) *T { return &value }

func main() {
	ctx := context.Background()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+os.Getenv("WALLET_KEY"))
		return nil
	}
	api := must(wallet.NewClientWithResponses(os.Getenv("WALLET_URL"), wallet.WithRequestEditorFn(authorize)))
	shop, customer := "shop-"+key(), "customer-"+key()

	for _, id := range []string{shop, customer} {
		made := must(api.CreateWalletWithResponse(ctx, &wallet.CreateWalletParams{IdempotencyKey: key()},
			wallet.CreateWallet{Id: &id, OwnerId: "oapi", Currency: "EUR"}))
		check(made.JSON201 != nil && made.JSON201.Wallet.Balance == "0", string(made.Body))
	}

	credited := must(api.CreditWalletWithResponse(ctx, customer, &wallet.CreditWalletParams{IdempotencyKey: key()},
		wallet.Movement{Amount: "1000", Metadata: &wallet.Metadata{"order": "17"}}))
	check(credited.JSON201 != nil && credited.JSON201.Transaction.BalanceAfter == "1000", string(credited.Body))

	held := must(api.PlaceHoldWithResponse(ctx, customer, &wallet.PlaceHoldParams{IdempotencyKey: key()},
		wallet.PlaceHold{Amount: "300"}))
	check(held.JSON201 != nil, string(held.Body))
	captured := must(api.CaptureHoldWithResponse(ctx, customer, held.JSON201.Hold.Id,
		&wallet.CaptureHoldParams{IdempotencyKey: key()}, wallet.CaptureHold{Amount: of("200"), Final: of(true)}))
	check(captured.JSON201 != nil && captured.JSON201.Hold.Status == "captured", string(captured.Body))
	check(captured.JSON201.Wallet.Balance == "800", string(captured.Body))

	sent := must(api.SendTransferWithResponse(ctx, &wallet.SendTransferParams{IdempotencyKey: key()},
		wallet.SendTransfer{From: &customer, To: &shop, Amount: of("100")}))
	check(sent.JSON201 != nil && sent.JSON201.Transfer.Status == "completed", string(sent.Body))

	var seen []string
	query := wallet.ListWalletTransactionsParams{Limit: of(int32(1))}
	for {
		page := must(api.ListWalletTransactionsWithResponse(ctx, customer, &query))
		check(page.JSON200 != nil, string(page.Body))
		for _, transaction := range page.JSON200.Data {
			seen = append(seen, transaction.Amount)
		}
		if page.JSON200.Next == nil {
			break
		}
		query.Cursor = page.JSON200.Next
	}
	check(fmt.Sprint(seen) == "[100 200 1000]", seen)

	short := must(api.DebitWalletWithResponse(ctx, customer, &wallet.DebitWalletParams{IdempotencyKey: key()},
		wallet.Debit{Amount: "1000"}))
	check(short.ApplicationproblemJSON422 != nil, string(short.Body))
	problem := must(short.ApplicationproblemJSON422.ValueByDiscriminator())
	shortage, is := problem.(wallet.InsufficientFundsProblem)
	check(is && shortage.Shortage == "300", problem)
	fmt.Println("scenario: done")
}
