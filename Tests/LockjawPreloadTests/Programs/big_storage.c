// A preloaded library with much static thread-local storage.
__thread char storage[32768] __attribute__((tls_model("initial-exec")));
void touch_storage(void) { storage[0]++; }
