/* The ring's protocol (preload/ring.h) with everything around it: MakeRoom and
   LookAtBell of preload/recorder.cc on the program's side, draining, waking and
   sleeping on the collector's. check_model.py runs spin over it.

   Memory. Each side has a store buffer (x86-TSO): its stores reach memory later,
   in order; a seq_cst store or fence waits until the buffer is empty; loads read
   memory at once. That is where a missing fence loses a wake-up. What TSO cannot
   show, a data store that overtakes head, is planted as EARLY_PUBLISH here and is
   ThreadSanitizer's business in ring_stress.cc.

   Claims
     1 every word is read once, in order, records are whole           (assertions)
     2 no unread word is overwritten                                  (the same)
     3 head never leads tail by more than the ring holds              (assertion)
     4 nobody sleeps for ever: no state without successor in which the program waits
       for room, or in which the ring is half full and the collector sleeps (unless
     the owner was killed before it could ring)                      (Monitor)
     5 no run goes on for ever without words being read     (non-progress cycles)
   All of them without any timeout, with a producer that may be killed between any
   two steps and be succeeded by another owner of the ring. The real waits' timeouts
   (100 ms, 10 ms) are a second line of defence, not a part of the protocol.

   To keep the search small: positions count modulo two laps; a word is wiped as it
   is read (nothing depends on what was read); of a futex's value only matters
   whether it moved since the waiter read it. */

#define CAP  4
#define HALF 2
#define MOD  8

/* A word is its position plus its place in its record. */
#define SINGLE 16
#define FIRST  32
#define SECOND 48
#define POS(word)   ((word) % 16)
#define PLACE(word) ((word) - POS(word))
#define USED(h, t)  ((h + MOD - t) % MOD)

byte data[CAP];
byte head, tail;
bool tail_futex_moved, doorbell_moved;  /* since the sleeper-to-be read it */
bool waits, sleeps;

bool producer_asleep, collector_asleep;  /* in the kernel's futex queue */
bool killed, ever_killed, successor_left = true;
bool producer_gone;  /* quiet for good or dead without successor */
bool kicked;         /* the collector's timeout or pidfd: the program ended */

mtype = { DATA, HEAD, WAITS, TAIL, SLEEPS };
chan pbuf = [4] of { mtype, byte, byte };  /* variable, index, value */
chan cbuf = [2] of { mtype, byte };

active proctype ProducerBuffer() {
  mtype variable; byte index, value;
end:
  do
  :: atomic { pbuf ? variable, index, value ->
       if
       :: variable == DATA -> data[index] = value
       :: variable == HEAD -> head = value
       :: variable == WAITS -> waits = value
       fi }
  od
}

active proctype CollectorBuffer() {
  mtype variable; byte value;
end:
  do
  :: atomic { cbuf ? variable, value ->
       if
       :: variable == TAIL -> tail = value
       :: variable == SLEEPS -> sleeps = value
       fi }
  od
}

/* The producer's own: its head, and the tail as it last read it. */
#ifdef OVERWRITE
#define ROOM(n) (USED(p_head, p_tail) + n <= CAP + 1)
#else
#define ROOM(n) (USED(p_head, p_tail) + n <= CAP)
#endif

inline PutWord(place) {
  atomic {
    pbuf ! DATA, p_head % CAP, p_head + place;
    p_head = (p_head + 1) % MOD
  }
}

inline WakeCollector() {
  atomic {
    doorbell_moved = true;
    collector_asleep = false
  }
}

/* recorder.cc, MakeRoom */
inline MakeRoom(n) {
  do
  :: pbuf ! WAITS, 0, 1;
#ifndef NO_WAITS_FENCE
     empty(pbuf);             /* the store is seq_cst */
#endif
     tail_futex_moved = false;  /* expected = tail_futex */
#ifndef NO_TAIL_RECHECK
     p_tail = tail;
     if
     :: ROOM(n) -> break
     :: else -> skip
     fi;
#endif
#ifndef NO_BELL_WHEN_FULL
     atomic {                 /* a locked instruction: drains, then adds */
       empty(pbuf);
       doorbell_moved = true
     };
     if
     :: sleeps -> collector_asleep = false
     :: else -> skip
     fi;
#endif
     atomic {                 /* futex_wait compares and queues in one step */
       if
       :: !tail_futex_moved -> producer_asleep = true
       :: else -> skip
       fi
     };
     !producer_asleep;
     p_tail = tail;
     if
     :: ROOM(n) -> break
     :: else -> skip
     fi
  od;
  pbuf ! WAITS, 0, 0
}

/* recorder.cc, LookAtBell; an eighth of this ring is less than a word, so it is
   called after every record. */
inline LookAtBell() {
#ifdef NO_BELL
  skip
#else
  p_tail = tail;
  if
  :: USED(p_head, p_tail) >= HALF ->
#ifndef NO_BELL_FENCE
     empty(pbuf);
#endif
     if
     :: sleeps -> WakeCollector()
     :: else -> skip
     fi
  :: else -> skip
  fi
#endif
}

inline Record(n) {
  if
  :: ROOM(n)
  :: else ->
     p_tail = tail;
     if
     :: ROOM(n)
     :: else -> MakeRoom(n)
     fi
  fi;
#ifdef EARLY_PUBLISH
  pbuf ! HEAD, 0, (p_head + n) % MOD;
#endif
  if
  :: n == 1 -> PutWord(SINGLE)
  :: n == 2 -> PutWord(FIRST); PutWord(SECOND)
  fi;
#ifdef PUBLISH_HALF
  if
  :: n == 2 -> pbuf ! HEAD, 0, (p_head + MOD - 1) % MOD
  :: else -> skip
  fi;
#endif
#ifndef EARLY_PUBLISH
  pbuf ! HEAD, 0, p_head;
#endif
  LookAtBell()
}

active proctype Producer() {
  byte p_head, p_tail;
attach:
  /* The collector freed the ring (state, release/acquire): all stores arrived. */
  empty(pbuf);
  p_head = head;
  p_tail = tail;
  {
    do
    :: true -> Record(1)
    :: true -> Record(2)
    :: break            /* the program computes and allocates no more */
    od;
    producer_gone = true;
end_quiet:
    false               /* can still be killed */
  } unless { killed };
  producer_asleep = false;
  if
  :: atomic { successor_left && !producer_gone ->
       successor_left = false; killed = false };
     goto attach
  :: producer_gone = true
  fi
}

#ifndef NOBODY_DIES
active proctype Killer() {
  /* Any number of steps may pass first. One kill for each owner. */
  if
  :: atomic { killed = true; ever_killed = true }
  :: skip
  fi;
  if
  :: atomic { !killed && !successor_left -> killed = true }
  :: skip
  fi
}
#endif

inline ReadWord(at) {
  atomic {
    word = data[(at) % CAP];
    data[(at) % CAP] = 0
  }
}

inline TakeRecord() {
  ReadWord(c_tail);
  assert(POS(word) == c_tail);
  assert(PLACE(word) == SINGLE || PLACE(word) == FIRST);
  if
  :: PLACE(word) == FIRST ->
     assert(USED(c_head, c_tail) >= 2);
     ReadWord(c_tail + 1);
     assert(POS(word) == (c_tail + 1) % MOD && PLACE(word) == SECOND);
     c_tail = (c_tail + 2) % MOD
  :: else ->
     c_tail = (c_tail + 1) % MOD
  fi;
  word = 0
}

inline Release() {
  cbuf ! TAIL, c_tail;
#ifndef NO_TAIL_FENCE
  empty(cbuf);
#endif
  if
  :: waits ->
     atomic { tail_futex_moved = true; producer_asleep = false }
  :: else -> skip
  fi
}

active proctype Collector() {
  byte c_head, c_tail, word;
  do
  :: c_head = head;
     assert(USED(c_head, c_tail) <= CAP);
     if
     :: c_head != c_tail ->
progress:
        TakeRecord();
        /* One release for one record or for several. */
        do
        :: c_head != c_tail -> TakeRecord()
        :: break
        od;
        Release()
     :: else ->
        if
        :: kicked && head == c_tail -> break
        :: else -> skip
        fi;
        doorbell_moved = false;  /* old = doorbell */
        cbuf ! SLEEPS, 1;
#ifndef NO_SLEEP_FENCE
        empty(cbuf);
#endif
        if
#ifndef NO_HEAD_RECHECK
        :: head != c_tail
#endif
#ifdef NO_HEAD_RECHECK
        :: true ->
#else
        :: head == c_tail ->
#endif
           atomic {
             if
             :: !doorbell_moved && !kicked -> collector_asleep = true
             :: else -> skip
             fi
           };
           !collector_asleep
        fi;
        cbuf ! SLEEPS, 0
     fi
  od
}

/* Moves only when nobody else can. */
active proctype Monitor() {
  timeout;
  assert(producer_gone);  /* it waits for room for ever */
  /* Nobody rang. */
  assert(USED(head, tail) < HALF || !collector_asleep || ever_killed);
  atomic { kicked = true; collector_asleep = false };
  timeout;
  assert(head == tail)         /* everything was taken */
}
