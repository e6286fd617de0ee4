// The shapes of Juliet's CWE401: five kinds of data from six allocators, each bad
// (not freed) and good (freed). Printing goes through a buffer of the program's
// own.
#include <cstdio>
#include <cwchar>

#include "tests/leak_corpus/programs/leak.h"

namespace {

struct TwoIntsStruct {
  int one, two;
};
class TwoIntsClass {
 public:
  int one = 1, two = 2;
};

char printed[200];

void PrintLine(const char* line) { snprintf(printed, sizeof printed, "%s", line); }
void PrintWideLine(const wchar_t* line) {
  snprintf(printed, sizeof printed, "%ls", line);
}
void PrintLong(int64_t n) {
  snprintf(printed, sizeof printed, "%lld", static_cast<long long>(n));
}

template <typename T>
T* Allocated(void* p) {
  if (p == nullptr) exit(-1);
  return static_cast<T*>(p);
}

NOINLINE void CharMallocBad() {
  char* data = nullptr;
  data = Allocated<char>(malloc(100 * sizeof(char)));  // LEAK definite 1 block 100 bytes
  strcpy(data, "A String");
  PrintLine(data);
}
NOINLINE void CharMallocGood() {
  char* data = nullptr;
  data = Allocated<char>(malloc(100 * sizeof(char)));  // LEAK none
  strcpy(data, "A String");
  PrintLine(data);
  free(data);
}
NOINLINE void CharCallocBad() {
  char* data = Allocated<char>(calloc(100, sizeof(char)));  // LEAK definite 1 block 100 bytes
  strcpy(data, "A String");
  PrintLine(data);
}
NOINLINE void CharReallocBad() {
  char* data = nullptr;
  data = Allocated<char>(realloc(data, 100 * sizeof(char)));  // LEAK definite 1 block 100 bytes
  strcpy(data, "A String");
  PrintLine(data);
}
NOINLINE void CharNewArrayBad() {
  char* data = new char[100];  // LEAK definite 1 block 100 bytes
  strcpy(data, "A String");
  PrintLine(data);
}
NOINLINE void CharStrdupBad() {
  char text[] = "myString";
  char* data = strdup(text);  // LEAK definite 1 block 9 bytes
  PrintLine(data);
}
NOINLINE void CharStrdupGood() {
  char text[] = "myString";
  char* data = strdup(text);  // LEAK none
  PrintLine(data);
  free(data);
}
NOINLINE void CharAllocaGood() {
  char* data = static_cast<char*>(__builtin_alloca(100));
  strcpy(data, "A String");
  PrintLine(data);
}

NOINLINE void WideMallocBad() {
  wchar_t* data = Allocated<wchar_t>(malloc(100 * sizeof(wchar_t)));  // LEAK definite 1 block 400 bytes
  wcscpy(data, L"A String");
  PrintWideLine(data);
}
NOINLINE void WideNewArrayBad() {
  wchar_t* data = new wchar_t[100];  // LEAK definite 1 block 400 bytes
  wcscpy(data, L"A String");
  PrintWideLine(data);
}
NOINLINE void WideDupBad() {
  wchar_t text[] = L"myString";
  wchar_t* data = wcsdup(text);  // LEAK definite 1 block 36 bytes
  PrintWideLine(data);
}
NOINLINE void WideDupGood() {
  wchar_t text[] = L"myString";
  wchar_t* data = wcsdup(text);  // LEAK none
  PrintWideLine(data);
  free(data);
}

NOINLINE void Int64CallocBad() {
  int64_t* data = Allocated<int64_t>(calloc(100, sizeof(int64_t)));  // LEAK definite 1 block 800 bytes
  data[0] = 5;
  Use(data);
  PrintLong(data[0]);
}
NOINLINE void Int64NewBad() {
  int64_t* data = new int64_t;  // LEAK definite 1 block 8 bytes
  *data = 5;
  Use(data);
  PrintLong(*data);
}
NOINLINE void Int64NewGood() {
  int64_t* data = new int64_t;  // LEAK none
  *data = 5;
  Use(data);
  PrintLong(*data);
  delete data;
}
NOINLINE void IntReallocBad() {
  int* data = nullptr;
  data = Allocated<int>(realloc(data, 100 * sizeof(int)));  // LEAK definite 1 block 400 bytes
  data[0] = 5;
  Use(data);
  PrintLong(data[0]);
}

NOINLINE void StructReallocBad() {
  TwoIntsStruct* data = nullptr;
  data = Allocated<TwoIntsStruct>(realloc(data, 100 * sizeof *data));  // LEAK definite 1 block 800 bytes
  data[0].one = 0;
  Use(data);
  PrintLong(data[0].one);
}
NOINLINE void StructNewArrayBad() {
  TwoIntsStruct* data = new TwoIntsStruct[100];  // LEAK definite 1 block 800 bytes
  data[0].two = 1;
  Use(data);
  PrintLong(data[0].two);
}
NOINLINE void ClassNewBad() {
  TwoIntsClass* data = new TwoIntsClass;  // LEAK definite 1 block 8 bytes
  Use(data);
  PrintLong(data->one);
}
NOINLINE void ClassNewArrayGood() {
  TwoIntsClass* data = new TwoIntsClass[100];  // LEAK none
  Use(data);
  PrintLong(data[0].two);
  delete[] data;
}

// realloc that fails would lose the first block; here it moves it.
NOINLINE void MallocReallocBad() {
  char* data = Allocated<char>(malloc(100 * sizeof(char)));  // LEAK none
  strcpy(data, "A String");
  data = Allocated<char>(realloc(data, 130000 * sizeof(char)));  // LEAK definite 1 block 130000 bytes
  strcpy(data, "New String");
  PrintLine(data);
}
NOINLINE void MallocReallocGood() {
  char* data = Allocated<char>(malloc(100 * sizeof(char)));            // LEAK none
  char* more = Allocated<char>(realloc(data, 130000 * sizeof(char)));  // LEAK none
  strcpy(more, "New String");
  PrintLine(more);
  free(more);
}

}  // namespace

int main() {
  CharMallocBad();
  CharMallocGood();
  CharCallocBad();
  CharReallocBad();
  CharNewArrayBad();
  CharStrdupBad();
  CharStrdupGood();
  CharAllocaGood();
  WideMallocBad();
  WideNewArrayBad();
  WideDupBad();
  WideDupGood();
  Int64CallocBad();
  Int64NewBad();
  Int64NewGood();
  IntReallocBad();
  StructReallocBad();
  StructNewArrayBad();
  ClassNewBad();
  ClassNewArrayGood();
  MallocReallocBad();
  MallocReallocGood();
  return 0;
}
