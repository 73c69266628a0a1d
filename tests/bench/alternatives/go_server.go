// The usual sample in Go: net/http on both sides, and pgx. With DATABASE_URL it stores the tokens in PostgreSQL.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
)

const upsert = `INSERT INTO tokens (openid, access_token, refresh_token, scope, expires_at) VALUES ($1, $2, $3, $4, $5)
 ON CONFLICT (openid) DO UPDATE SET access_token = excluded.access_token, refresh_token = excluded.refresh_token,
 scope = excluded.scope, expires_at = excluded.expires_at`

type posted struct {
	Code string `json:"code"`
}

type grant struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"`
	OpenID       string `json:"openid"`
	Scope        string `json:"scope"`
}

type answer struct {
	OpenID string `json:"openid"`
	Scope  string `json:"scope"`
}

type server struct {
	upstream string
	wechat   *http.Client
	pool     *pgxpool.Pool
}

func (s *server) exchange(ctx context.Context, code string) (*grant, error) {
	query := url.Values{"appid": {"wx"}, "secret": {"secret"}, "code": {code}, "grant_type": {"authorization_code"}}
	request, err := http.NewRequestWithContext(ctx, "GET", s.upstream+"/sns/oauth2/access_token?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := s.wechat.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var given grant
	if err := json.NewDecoder(response.Body).Decode(&given); err != nil {
		return nil, err
	}
	return &given, nil
}

func (s *server) getCode(writer http.ResponseWriter, request *http.Request) {
	var page posted
	if err := json.NewDecoder(request.Body).Decode(&page); err != nil {
		http.Error(writer, "not JSON", http.StatusBadRequest)
		return
	}
	given, err := s.exchange(request.Context(), page.Code)
	if err != nil {
		http.Error(writer, "WeChat does not answer", http.StatusBadGateway)
		return
	}
	if s.pool != nil {
		expiresAt := time.Now().Unix() + given.ExpiresIn
		values := []interface{}{given.OpenID, given.AccessToken, given.RefreshToken, given.Scope, expiresAt}
		if _, err := s.pool.Exec(request.Context(), upsert, values...); err != nil {
			http.Error(writer, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
	}
	writer.Header().Set("Content-Type", "application/json")
	json.NewEncoder(writer).Encode(answer{given.OpenID, given.Scope})
}

func transport() *http.Transport {
	transport := &http.Transport{MaxIdleConnsPerHost: 128, MaxConnsPerHost: 128}
	if file := os.Getenv("CA_FILE"); file != "" {
		certificates, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(certificates)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return transport
}

func main() {
	s := &server{upstream: os.Getenv("UPSTREAM"), wechat: &http.Client{Transport: transport()}}
	if address := os.Getenv("DATABASE_URL"); address != "" {
		config, err := pgxpool.ParseConfig(address)
		if err != nil {
			log.Fatal(err)
		}
		config.MaxConns = 10
		if s.pool, err = pgxpool.ConnectConfig(context.Background(), config); err != nil {
			log.Fatal(err)
		}
	}
	http.HandleFunc("/getCode", s.getCode)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
