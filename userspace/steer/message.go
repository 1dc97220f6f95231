// SPDX-License-Identifier: Apache-2.0

package steer

// Message is what steering needs to know of a SIP message.
type Message struct {
	Request bool
	Method  Method // of a request; MethodNone in a response
	Status  uint16 // of a response, 100 to 699; 0 in a request

	CallID []byte // a part of the payload; nil when there is none to use

	// HasToTag is judged only where steering depends on it: in requests other than ACK and CANCEL.
	HasToTag bool

	// CSeq and CSeqMethod are judged only in responses and ACK. In an initial request CSeq is 0 when it cannot be read.
	CSeq       uint32
	CSeqMethod Method

	// To and From are the Tails of these header fields: To of a response or BYE, From of a BYE or a
	// request that Makes a pin, else 0; and 0 when
	// the field is missing, repeated or folded.
	To, From uint64

	// Subscribes says that the method is SUBSCRIBE or REFER, which begin a dialog as INVITE does.
	Subscribes bool
	// Full says that it took complete parsing to judge the message: the kernel passed it up unjudged.
	Full bool

	// Unjudged says why the message could not be judged, or that it is to be dropped; Undecided when it could.
	Unjudged Outcome
}

// Initial reports whether the message is a request that starts a dialog or stands alone: one without a To tag that is
// neither ACK nor CANCEL. It means nothing when the message could not be judged.
func (m *Message) Initial() bool { return m.needsTo() && !m.HasToTag }

func (m *Message) needsTo() bool {
	return m.Request && m.Method != MethodAck && m.Method != MethodCancel
}

func (m *Message) needsCSeq() bool { return !m.Request || m.Method == MethodAck }
