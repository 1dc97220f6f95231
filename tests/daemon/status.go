// SPDX-License-Identifier: Apache-2.0

package daemon

// Status is the part of `sipsteer status --json` that tests read. Its names are the contract.
type Status struct {
	Datapath struct {
		Mode    string            `json:"mode"`
		Steered uint64            `json:"steered"`
		Passed  uint64            `json:"passed"`
		Dropped map[string]uint64 `json:"dropped"`
		Direct  map[string]uint64 `json:"direct"`

		Outcomes map[string]uint64 `json:"outcomes"`
	} `json:"datapath"`
	Policy struct {
		Bans     uint64 `json:"bans"`
		Prefixes uint64 `json:"prefixes"`
	} `json:"policy"`
	Dialogs struct {
		Early     uint64 `json:"early"`
		Confirmed uint64 `json:"confirmed"`
		Ended     uint64 `json:"ended"`
		Total     uint64 `json:"total"`
	} `json:"dialogs"`
	Registrations uint64         `json:"registrations"`
	Workers       []WorkerStatus `json:"workers"`
	Control       struct {
		Received map[string]uint64 `json:"received"`
		Steered  uint64            `json:"steered"`
		Dropped  map[string]uint64 `json:"dropped"`

		HandedOver uint64 `json:"handed_over"`
		OwnACK     uint64 `json:"own_ack"`
	} `json:"control"`
}

// WorkerStatus is one worker in Status.
type WorkerStatus struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Health  string `json:"health"`
	Steered uint64 `json:"steered"`
	Dialogs uint64 `json:"dialogs"`
}
