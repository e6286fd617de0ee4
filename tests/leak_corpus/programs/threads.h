// A thread that has done something and then stays until the process ends.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include "tests/leak_corpus/programs/leak.h"

static sem_t ready;

// Waits for ever, in the kernel, with nothing of the past below its frame.
NOINLINE __attribute__((unused)) static void Stay(void) {
  ScrubStack();
  sem_post(&ready);
  for (;;) pause();
}

// Starts a thread and waits until it stays.
NOINLINE __attribute__((unused)) static void StartAndWait(void* (*function)(void*),
                                                          void* argument) {
  pthread_t thread;
  if (sem_init(&ready, 0, 0) != 0 ||
      pthread_create(&thread, NULL, function, argument) != 0) {  // LEAK optional
    abort();
  }
  while (sem_wait(&ready) != 0) {
  }
}
