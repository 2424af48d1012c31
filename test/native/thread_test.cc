#include "thread.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <string>

#include "support/interposed_system.h"

namespace ebs {
namespace {

TEST(Thread, RunsUnderItsNameAndTakesNoSignals) {
  std::string name;
  bool is_any_taken = false;
  Thread thread;
  ASSERT_EQ(thread.Start("ebs-a-test",
                         [&] {
                           char buffer[16];
                           pthread_getname_np(pthread_self(), buffer, sizeof buffer);
                           name = buffer;
                           sigset_t blocked;
                           pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
                           for (int signal : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGPIPE}) {
                             is_any_taken |= sigismember(&blocked, signal) == 0;
                           }
                         }),
            0);
  thread.Join();
  EXPECT_EQ(name, "ebs-a-test");
  EXPECT_FALSE(is_any_taken);
}

TEST(Thread, LeavesTheSignalsOfItsOwnerAsTheyAre) {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Thread thread;
  ASSERT_EQ(thread.Start("ebs-a-test", [] {}), 0);
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  thread.Join();
  for (int signal = 1; signal < SIGRTMIN; signal++) {
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  }
}

TEST(Thread, ReportsThatNoneCouldBeHad) {
  SystemHooks hooks;
  hooks.pthread_create = [] { return EAGAIN; };
  Thread thread;
  {
    InterposedSystem system(hooks);
    EXPECT_EQ(thread.Start("ebs-a-test", [] { FAIL(); }), EAGAIN);
  }
  thread.Join();
  bool has_run = false;
  EXPECT_EQ(thread.Start("ebs-a-test", [&] { has_run = true; }), 0);
  thread.Join();
  EXPECT_TRUE(has_run);
  thread.Join();
}

}  // namespace
}  // namespace ebs
