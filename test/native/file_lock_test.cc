#include "file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temporary_file.h"

namespace ebs {
namespace {

class FileLockTest : public testing::Test {
 protected:
  int Open() { return open(file_.path().c_str(), O_RDWR | O_CLOEXEC); }

  TemporaryFile file_{"text"};
};

TEST_F(FileLockTest, KeepsAnotherOpenFileOutUntilClosed) {
  int first = Open();
  int second = Open();
  EXPECT_TRUE(TryLockFile(first).ok());
  Status status = TryLockFile(second);
  EXPECT_EQ(status.error_number, EWOULDBLOCK);
  EXPECT_STREQ(status.syscall, "flock");
  close(first);
  EXPECT_TRUE(TryLockFile(second).ok());
  close(second);
}

TEST_F(FileLockTest, StaysTakenWhenAnotherDescriptorOfTheFileIsClosed) {
  int first = Open();
  EXPECT_TRUE(TryLockFile(first).ok());
  // What POSIX locks are lost by.
  close(Open());
  int second = Open();
  EXPECT_EQ(TryLockFile(second).error_number, EWOULDBLOCK);
  close(first);
  close(second);
}

TEST_F(FileLockTest, IsLetGoWhenItsProcessIsKilled) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  pid_t child = fork();
  if (child == 0) {
    char locked = TryLockFile(Open()).ok() ? 'y' : 'n';
    if (write(pipe_ends[1], &locked, 1) != 1) _exit(1);
    pause();
  }
  char locked = 0;
  ASSERT_EQ(read(pipe_ends[0], &locked, 1), 1);
  EXPECT_EQ(locked, 'y');
  int ours = Open();
  EXPECT_EQ(TryLockFile(ours).error_number, EWOULDBLOCK);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(TryLockFile(ours).ok());
  for (int fd : {ours, pipe_ends[0], pipe_ends[1]}) close(fd);
}

TEST_F(FileLockTest, SaysWhatIsWrongWithADescriptor) {
  EXPECT_EQ(TryLockFile(-1).error_number, EBADF);
}

}  // namespace
}  // namespace ebs
