#ifndef EBS_TEST_NATIVE_SUPPORT_THREAD_WATCH_H_
#define EBS_TEST_NATIVE_SUPPORT_THREAD_WATCH_H_

#include <cstddef>
#include <string>

namespace ebs {

// Waits until the threads of this process called `name` are `count`, and all of them wait for
// something: what they will do of themselves, they have done.
void WaitUntilThreadsSleep(const std::string& name, size_t count);

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_THREAD_WATCH_H_
