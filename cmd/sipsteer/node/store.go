// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/auth"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/ctrl/registrar"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/token"
)

// keys are what the cluster's one secret is split into, so that no part of
// sipsteer can be made to reveal another's.
type keys struct {
	pins  steer.Secret
	nonce []byte
}

// openStore opens the database and everything that stands on it.
func (n *Node) openStore(context.Context) error {
	st, err := store.Open(n.cfg.Store)
	if err != nil {
		return err
	}
	n.store = st
	n.onClose(st.Close)
	secret, err := n.clusterSecret()
	if err != nil {
		return err
	}
	n.signer = token.New(secret)
	n.keys = splitSecret(secret)
	n.locations = location.New(st)
	if err := n.locations.Load(st.Bindings()); err != nil {
		return err
	}
	n.auth, err = newVerifier(n.cfg.Auth, n.keys.nonce, st)
	if err != nil {
		return err
	}
	r := n.cfg.Registrar
	n.registrar = registrar.New(n.locations, registrar.Limits{
		DefaultExpires: time.Duration(r.DefaultExpires) * time.Second,
		MinExpires:     time.Duration(r.MinExpires) * time.Second,
		MaxExpires:     time.Duration(r.MaxExpires) * time.Second,
		MaxContacts:    r.MaxContacts,
		ServiceRoute:   r.ServiceRoute,
	})
	return nil
}

// clusterSecret is what the file names, or what the store made at the first
// start.
func (n *Node) clusterSecret() ([]byte, error) {
	if n.cfg.SecretFile != "" {
		return config.ReadSecret(n.cfg.SecretFile)
	}
	return n.store.Secret("cluster")
}

func splitSecret(secret []byte) keys {
	derive := func(purpose string) []byte {
		sum := sha256.Sum256(append([]byte("sipsteer "+purpose+"\x00"), secret...))
		return sum[:]
	}
	return keys{pins: steer.Secret(derive("pins")), nonce: derive("nonce")}
}

func newVerifier(cfg config.Auth, secret []byte, creds auth.Credentials) (*auth.Verifier, error) {
	var algs []auth.Algorithm
	for _, name := range cfg.Algorithms {
		a, err := auth.ParseAlgorithm(name)
		if err != nil {
			return nil, err
		}
		algs = append(algs, a)
	}
	return auth.New(secret, algs, cfg.NonceLifetime, creds), nil
}

// PutUser makes an account, or gives an existing one this password: the
// demo's accounts follow its password file.
func (n *Node) PutUser(ctx context.Context, aor, password string) error {
	u, err := store.NewUser(aor, password, time.Now())
	if err != nil {
		return err
	}
	err = n.store.AddUser(ctx, u)
	if errors.Is(err, store.ErrExists) {
		err = n.store.SetUser(ctx, u)
	}
	if err != nil {
		return fmt.Errorf("making the account %s: %w", aor, err)
	}
	return nil
}
