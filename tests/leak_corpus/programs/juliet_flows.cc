// The flows of Juliet's CWE401: the leak behind conditions, globals, function
// pointers, loops, switches, references, structs, containers, virtual calls and
// destructors.
#include <ctime>
#include <list>
#include <map>
#include <vector>

#include "tests/leak_corpus/programs/leak.h"

int global_true = 1;
int global_false = 0;
const int kFive = 5;
static int static_five = 5;

namespace {

int ReturnsTrue() { return 1; }

NOINLINE void Constant() {  // 02
  char* data = nullptr;
  if (5 == 5) {
    data = static_cast<char*>(calloc(100, 1));  // LEAK definite 1 block 100 bytes
  }
  if (kFive != 5) free(data);
  Use(data);
}
NOINLINE void StaticInt() {  // 07
  char* data = nullptr;
  if (static_five == 5) data = static_cast<char*>(malloc(101));  // LEAK definite 1 block 101 bytes
  if (static_five != 5) free(data);
  Use(data);
}
NOINLINE void Function() {  // 08
  char* data = nullptr;
  if (ReturnsTrue()) data = static_cast<char*>(malloc(102));  // LEAK definite 1 block 102 bytes
  if (!ReturnsTrue()) free(data);
  Use(data);
}
NOINLINE void GlobalVariable() {  // 10
  char* data = nullptr;
  if (global_true) data = static_cast<char*>(malloc(103));  // LEAK definite 1 block 103 bytes
  if (global_false) free(data);
  Use(data);
}
NOINLINE void Either(bool freed) {               // 12
  char* data = static_cast<char*>(malloc(104));  // LEAK definite 1 block 104 bytes
  Use(data);
  if (freed) free(data);
}
NOINLINE void Switch() {  // 15
  char* data = nullptr;
  switch (static_five + 1) {
    case 6:
      data = static_cast<char*>(malloc(105));  // LEAK definite 1 block 105 bytes
      break;
    default:
      break;
  }
  switch (static_five + 2) {
    case 8:
      free(data);
      break;
    default:
      break;
  }
  Use(data);
}
NOINLINE void Loops() {  // 16, 17
  char* data = nullptr;
  while (true) {
    data = static_cast<char*>(malloc(106));  // LEAK definite 1 block 106 bytes
    break;
  }
  for (int i = 0; i < 1; i++) Use(data);
}
NOINLINE void Goto() {  // 18
  char* data = nullptr;
  goto source;
source:
  data = static_cast<char*>(malloc(107));  // LEAK definite 1 block 107 bytes
  goto sink;
sink:
  Use(data);
}

// 21, 22, 41, 42: through a function, as an argument, as a result.
NOINLINE char* Source(char* data) {
  data = static_cast<char*>(malloc(108));  // LEAK definite 1 block 108 bytes
  return data;
}
NOINLINE void Sink(char* data) { Use(data); }
NOINLINE void Result() { Sink(Source(nullptr)); }

NOINLINE void ReferenceSource(char*& data) {  // 43
  data = static_cast<char*>(malloc(109));     // LEAK definite 1 block 109 bytes
}
NOINLINE void Reference() {
  char* data = nullptr;
  ReferenceSource(data);
  Use(data);
}

NOINLINE void FunctionPointer() {  // 44, 65
  void (*sink)(char*) = Sink;
  char* data = static_cast<char*>(malloc(110));  // LEAK definite 1 block 110 bytes
  Use(&sink);
  sink(data);
}

char* static_data;  // 45
NOINLINE void StaticSink() {
  char* data = static_data;
  Use(data);
}
NOINLINE void StaticVariable() {
  static_data = static_cast<char*>(malloc(111));  // LEAK reachable 1 block 111 bytes
  StaticSink();
}

union Union {  // 34
  char* first;
  char* second;
};
NOINLINE void ByUnion() {
  Union both;
  both.first = static_cast<char*>(malloc(112));  // LEAK definite 1 block 112 bytes
  Use(both.second);
}

void Sink5(char* data) { Use(data); }  // 51 to 54
void Sink4(char* data) { Sink5(data); }
void Sink3(char* data) { Sink4(data); }
NOINLINE void Chain() {
  char* data = new char[113];  // LEAK definite 1 block 113 bytes
  Sink3(data);
}

void VoidSink(void* data) {  // 64
  char** pointer = static_cast<char**>(data);
  Use(*pointer);
}
NOINLINE void VoidPointer() {
  char* data = new char[114];  // LEAK definite 1 block 114 bytes
  VoidSink(&data);
}

void ArraySink(char** array) { Use(array[2]); }  // 66
NOINLINE void InArray() {
  char* array[5] = {};
  array[2] = new char[115];  // LEAK definite 1 block 115 bytes
  ArraySink(array);
}

struct Structure {  // 67
  char* member;
};
void StructSink(Structure data) { Use(data.member); }
NOINLINE void InStruct() {
  Structure data = {new char[116]};  // LEAK definite 1 block 116 bytes
  StructSink(data);
}

char* global_data;  // 68
NOINLINE void GlobalData() {
  global_data = new char[117];  // LEAK reachable 1 block 117 bytes
  Use(global_data);
}

NOINLINE void InContainers() {            // 72 to 74
  std::vector<char*> vector(5, nullptr);  // LEAK none
  vector[2] = new char[118];              // LEAK definite 1 block 118 bytes
  Use(vector.data());
  std::list<char*> list;
  list.push_back(new char[119]);  // LEAK definite 1 block 119 bytes
  Use(&list);
  std::map<int, char*> map;
  map[2] = new char[120];  // LEAK definite 1 block 120 bytes
  Use(&map);
}

struct Base {  // 81, 82
  virtual ~Base() = default;
  virtual void Action(char* data) const = 0;
};
struct Bad : Base {
  void Action(char* data) const override { Use(data); }
};
struct Good : Base {
  void Action(char* data) const override { delete[] data; }
};
NOINLINE void Act(const Base& base, char* data) { base.Action(data); }
NOINLINE void Virtual() {
  Act(Bad(), new char[121]);   // LEAK definite 1 block 121 bytes
  Act(Good(), new char[122]);  // LEAK none
  Base* base = new Bad;        // LEAK none
  base->Action(nullptr);
  delete base;
}

struct Careless {                      // 83, 84
  Careless() : data(new char[123]) {}  // LEAK definite 2 blocks 246 bytes
  ~Careless() { Use(data); }
  char* data;
};
struct Careful {
  Careful() : data(new char[124]) {}  // LEAK none
  ~Careful() { delete[] data; }
  char* data;
};
NOINLINE void Destructors() {
  Careless careless;
  Careful careful;
  Careless* other = new Careless;  // LEAK none
  Use(&careless);
  Use(&careful);
  delete other;
}

}  // namespace

int main() {
  Constant();
  StaticInt();
  Function();
  GlobalVariable();
  Either(true);
  Either(false);
  Switch();
  Loops();
  Goto();
  Result();
  Reference();
  FunctionPointer();
  StaticVariable();
  Use(&static_data);
  ByUnion();
  Chain();
  VoidPointer();
  InArray();
  InStruct();
  GlobalData();
  Use(&global_data);
  InContainers();
  Virtual();
  Destructors();
  return 0;
}
