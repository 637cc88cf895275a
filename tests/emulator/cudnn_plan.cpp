/* cudnn_plan.cpp: a plan of cuDNN's, which is JSON, as far as a convolution needs it. */
#if __has_include(<cudnn.h>)

#    include <stdlib.h>
#    include <string.h>

#    include <map>

#    include "cudnn_objects.h"

namespace
{

struct Json {
    std::string text; /* of a string or a number */
    std::vector<Json> items;
    std::map<std::string, Json> members;

    const Json &operator[](const char *name) const
    {
        static const Json none = {};
        const auto found = members.find(name);
        return found == members.end() ? none : found->second;
    }

    int64_t integer() const
    {
        return strtoll(text.c_str(), nullptr, 10);
    }

    std::vector<int64_t> integers() const
    {
        std::vector<int64_t> numbers;
        for (const Json &item : items)
            numbers.push_back(item.integer());
        return numbers;
    }
};

/* No strings with escapes: cuDNN writes none. */
class Reader
{
  public:
    explicit Reader(const std::string &text) : at_(text.c_str()), ok_(true)
    {
    }

    bool read_all(Json *json)
    {
        *json = value(0);
        skip();
        return ok_ && *at_ == 0;
    }

  private:
    const char *at_;
    bool ok_;

    void skip()
    {
        at_ += strspn(at_, " \t\r\n");
    }

    bool take(char c)
    {
        skip();
        const bool is = *at_ == c;
        at_ += is;
        return is;
    }

    std::string string()
    {
        ok_ = ok_ && take('"');
        const size_t length = ok_ ? strcspn(at_, "\"\\") : 0;
        ok_ = ok_ && at_[length] == '"';
        const std::string found(at_, length);
        at_ += ok_ ? length + 1 : 0;
        return found;
    }

    Json value(int depth)
    {
        Json json;
        if (depth > 16)
            ok_ = false;
        else if (take('{'))
            members(&json, depth);
        else if (take('['))
            items(&json, depth);
        else if (*at_ == '"')
            json.text = string();
        else {
            const size_t length = strcspn(at_, ",]} \t\r\n");
            ok_ = ok_ && length > 0;
            json.text.assign(at_, length);
            at_ += length;
        }
        return json;
    }

    void members(Json *json, int depth)
    {
        if (take('}'))
            return;
        do {
            skip();
            const std::string name = string();
            ok_ = ok_ && take(':');
            json->members[name] = value(depth + 1);
        } while (ok_ && take(','));
        ok_ = ok_ && take('}');
    }

    void items(Json *json, int depth)
    {
        if (take(']'))
            return;
        do
            json->items.push_back(value(depth + 1));
        while (ok_ && take(','));
        ok_ = ok_ && take(']');
    }
};

cudnnDataType_t type_called(const std::string &name)
{
    return name == "CUDNN_DATA_BFLOAT16" ? CUDNN_DATA_BFLOAT16
           : name == "CUDNN_DATA_HALF"   ? CUDNN_DATA_HALF
           : name == "CUDNN_DATA_FLOAT"  ? CUDNN_DATA_FLOAT
                                         : CUDNN_DATA_INT64;
}

/* The tensor that an operation's member names. */
bool find_tensor(const Json &graph, const Json &name, Tensor *tensor)
{
    for (const Json &t : graph["tensors"].items)
        if (!name.text.empty() && t["name"].text == name.text) {
            *tensor = {name.integer(), type_called(t["dataType"].text), t["dim"].integers(), t["stride"].integers(),
                       t["ptrAlignment"].integer()};
            return tensor->dims.size() >= 4 && tensor->dims.size() == tensor->strides.size() && tensor->alignment > 0 &&
                   tensor->type != CUDNN_DATA_INT64;
        }
    return false;
}

const Json &either(const Json &of, const char *name, const char *other)
{
    return of.members.count(name) ? of[name] : of[other];
}

} // namespace

bool read_plan(const std::string &text, Convolution *c)
{
    Json plan;
    if (!Reader(text).read_all(&plan) || plan["operationGraph"]["nodes"].items.size() != 1)
        return false;
    const Json &graph = plan["operationGraph"], &node = graph["nodes"].items[0], &gpu = plan["GPUProfile"];
    c->version = plan["cudnnVersion"].integer();
    c->architecture = gpu["deviceVer"].integer();
    c->multiprocessors = gpu["multiProcessorCount"].integer();
    c->driver = gpu["driverVer"].integer();
    c->operation = node["operation"].text;
    c->sums = node["mathPrec"].text;
    c->before = either(node, "pad", "pad_lower").integers();
    c->stride = node["stride"].integers();
    c->dilation = node["dilation"].integers();
    c->workspace = plan["emulatedWorkspace"].integer();
    const size_t space = c->before.size();
    return find_tensor(graph, either(node, "X", "dX"), &c->x) && find_tensor(graph, either(node, "W", "dW"), &c->w) &&
           find_tensor(graph, either(node, "Y", "dY"), &c->y) && c->x.dims.size() == space + 2 &&
           c->w.dims.size() == space + 2 && c->y.dims.size() == space + 2 && c->stride.size() == space &&
           c->dilation.size() == space && node["mode"].text == "CUDNN_CROSS_CORRELATION" &&
           strtod(node["alpha"].text.c_str(), nullptr) == 1 && strtod(node["beta"].text.c_str(), nullptr) == 0;
}

#endif
