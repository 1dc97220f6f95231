// SPDX-License-Identifier: Apache-2.0

package steer

// Verdict is what Decide finds for a message.
type Verdict struct {
	Action  Action
	Outcome Outcome // Undecided when the action is ActionSteer: how it is forwarded is the worker's matter
	Key     Key     // of the Call-ID; zero when the message could not be judged or is dropped
	Pin     Pin     // as found; only when the action is ActionSteer
}

// Decide says where a message goes, by the rules of the kernel (classification for policies proxy and redirect): a
// pinned response, ACK, CANCEL or request with a To tag is steered; an initial request, one without a pin, or one that
// could not be judged goes up; what is not SIP is dropped. lookup finds a pin by its key; secret
// is the service's.
func Decide(m Message, lookup func(Key) (Pin, bool), secret Secret) Verdict {
	if m.Unjudged != Undecided {
		return Verdict{Action: m.Unjudged.Action(), Outcome: m.Unjudged}
	}
	key := secret.Key(m.CallID)
	if m.Initial() {
		return Verdict{Action: ActionPass, Outcome: PassInitial, Key: key}
	}
	pin, ok := lookup(key)
	if !ok {
		return Verdict{Action: ActionPass, Outcome: PassNoPin, Key: key}
	}
	return Verdict{Action: ActionSteer, Key: key, Pin: pin}
}
