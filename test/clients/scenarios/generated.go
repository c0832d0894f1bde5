// What a shop does with a client made by openapi-generator. WALLET_URL and WALLET_KEY say where.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	wallet "github.com/local/wallet"
)

func key() string {
	drawn := make([]byte, 16)
	rand.Read(drawn)
	return hex.EncodeToString(drawn)
}

func check(holds bool, what any) {
	if !holds {
		panic(fmt.Sprintf("unexpected: %+v", what))
	}
}

func must[T any](value T, _ any, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func problemOf(err error) wallet.Problem {
	var failure *wallet.GenericOpenAPIError
	check(errors.As(err, &failure), err)
	problem, is := failure.Model().(wallet.Problem)
	check(is, string(failure.Body()))
	return problem
}

func main() {
	configuration := wallet.NewConfiguration()
	configuration.Servers = wallet.ServerConfigurations{{URL: os.Getenv("WALLET_URL")}}
	api := wallet.NewAPIClient(configuration)
	ctx := context.WithValue(context.Background(), wallet.ContextAccessToken, os.Getenv("WALLET_KEY"))
	shop, customer := "shop-"+key(), "customer-"+key()

	for _, id := range []string{shop, customer} {
		body := wallet.NewCreateWallet("go", "EUR")
		body.SetId(id)
		made := must(api.WalletsAPI.CreateWallet(ctx).IdempotencyKey(key()).CreateWallet(*body).Execute())
		check(made.WalletAnswer.Wallet.Balance == "0", made)
	}

	credit := wallet.NewMovement("1000")
	credit.SetMetadata(map[string]string{"order": "17"})
	credited := must(api.WalletsAPI.CreditWallet(ctx, customer).IdempotencyKey(key()).Movement(*credit).Execute())
	check(credited.TransactionAnswer.Transaction.BalanceAfter == "1000", credited)

	held := must(api.HoldsAPI.PlaceHold(ctx, customer).IdempotencyKey(key()).PlaceHold(*wallet.NewPlaceHold("300")).Execute())
	capture := wallet.NewCaptureHold()
	capture.SetAmount("200")
	capture.SetFinal(true)
	captured := must(api.HoldsAPI.CaptureHold(ctx, customer, held.HoldAnswer.Hold.Id).
		IdempotencyKey(key()).CaptureHold(*capture).Execute())
	check(captured.CaptureAnswer.Hold.Status == wallet.HOLD_STATUS_CAPTURED, captured)
	check(captured.CaptureAnswer.Wallet.Balance == "800", captured)

	order := wallet.NewSendTransfer()
	order.SetFrom(customer)
	order.SetTo(shop)
	order.SetAmount("100")
	order.SetReference("order-17")
	sent := must(api.TransfersAPI.SendTransfer(ctx).IdempotencyKey(key()).SendTransfer(*order).Execute())
	check(sent.TransferAnswer.Transfer.Status == wallet.TRANSFER_STATUS_COMPLETED, sent)

	var seen []string
	request := api.WalletsAPI.ListWalletTransactions(ctx, customer).Limit(1)
	for {
		page := must(request.Execute())
		for _, transaction := range page.Data {
			seen = append(seen, transaction.Amount)
		}
		if page.Next.Get() == nil {
			break
		}
		request = request.Cursor(*page.Next.Get())
	}
	check(fmt.Sprint(seen) == "[100 200 1000]", seen)

	_, _, err := api.WalletsAPI.DebitWallet(ctx, customer).IdempotencyKey(key()).Debit(*wallet.NewDebit("1000")).Execute()
	shortage := problemOf(err).InsufficientFundsProblem
	check(shortage != nil && shortage.Code == "InsufficientFunds" && shortage.Shortage == "300", err)

	_, _, err = api.WalletsAPI.GetWallet(ctx, "nobody").Execute()
	missing := problemOf(err).GeneralProblem
	check(missing != nil && missing.Code == "WalletNotFound", err)
	fmt.Println("scenario: done")
}
